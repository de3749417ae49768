"""HTTP inside a process that has other work: uvicorn in the running loop."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import uvicorn

# Longer than clients and proxies keep a connection that nobody uses (5 to 60 s are usual): whoever
# asks in the very moment in which we close it has no answer, and cannot know whether it was heard.
_IDLE_SECONDS = 75


class AddressTaken(Exception):
    """The address to serve at cannot be had."""


class _Server(uvicorn.Server):
    """A server that leaves signals to the process and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


@asynccontextmanager
async def serve(
    app: Any,
    *,
    host: str,
    port: int,
    lifespan: Literal["on", "off"] = "off",
    grace_seconds: int = 5,
    trusted_proxies: str = "",
    http: type[asyncio.Protocol] | Literal["auto"] = "auto",
) -> AsyncGenerator[int]:
    """Serve an ASGI app while inside; yields the port, which matters when 0 was asked for.

    At the end no new connection is taken, requests under way get `grace_seconds`, then they
    are cancelled. Of `trusted_proxies` it is believed for whom they ask (X-Forwarded-For).
    Raises AddressTaken when the port is not to be had.
    """
    listener = _listen(host, port)
    taken: int = listener.getsockname()[1]
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan=lifespan,
            http=http,
            ws="none",
            server_header=False,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=grace_seconds,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies,
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]), name=f"http on {taken}")
    serving = asyncio.create_task(server.serving.wait())
    try:
        await asyncio.wait({running, serving}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running  # what went wrong
            raise RuntimeError("The HTTP server ended before it served.")
        yield taken
    finally:
        serving.cancel()
        server.should_exit = True
        try:
            await running
        finally:
            listener.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as failure:
        raise AddressTaken(f"Cannot serve at {host} port {port}: {failure.strerror}.") from failure

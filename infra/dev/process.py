"""A server as a child process: started, awaited until it serves, and ended."""

import asyncio
import contextlib
import random
import signal
import socket
from collections.abc import Awaitable
from pathlib import Path
from types import TracebackType
from typing import Self


class ServerEnded(Exception):
    """A server ended instead of serving; the text is what it said last."""


class Server:
    """The base of the embedded servers: `async with` starts one and stops it."""

    stop_signal = signal.SIGTERM

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Start, wait until it serves, and return its URL."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End it cleanly."""
        await self._end(self.stop_signal)

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(signal.SIGKILL)

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    async def _serve(self, argv: list[str], ready: Awaitable[None]) -> None:
        with self.log.open("ab") as log:
            said_before = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdout=log, stderr=log, start_new_session=True
            )
        serving = asyncio.ensure_future(ready)
        ended = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
                return
        except BaseException:  # whatever ended the wait, no process is left behind
            await self.kill()
            raise
        finally:
            serving.cancel()
            ended.cancel()
        self._process = None
        words = self.log.read_bytes()[said_before:].decode(errors="replace")
        raise ServerEnded(f"{argv[0]} ended while starting: {words.strip()}")

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(how)
            await process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()


def free_port() -> int:
    """A loopback port that nobody listens on, fit for a server that will be restarted.

    Not one of those that systems give to outgoing connections (32768 and up, mostly): while the
    server is away, somebody's connection would come from its port, and it could not return.
    """
    while True:
        port = random.randrange(12_000, 30_000)  # noqa: S311 - a place to look, no secret
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port

"""A gateway that says what it was asked, and waits where the test says so."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from shared.telemetry import serve


class Gateway:
    """ASGI: /echo, an event stream that waits for `go_on`, and uploads taken as they come."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = asyncio.Event()
        self.first_part = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.append(f"{scope['method']} {scope['path']}")
        match scope["path"]:
            case "/api/v1/events":
                await self._start(send, 200, (b"content-type", b"text/event-stream"))
                await send({"type": "http.response.body", "body": b"id: 1\n\n", "more_body": True})
                await self.go_on.wait()
                await send({"type": "http.response.body", "body": b"id: 2\n\n"})
            case "/api/v1/uploads":
                size = 0
                while True:
                    message = await receive()
                    size += len(message.get("body", b""))
                    if size:
                        self.first_part.set()
                    if not message.get("more_body"):
                        break
                await self._answer(send, {"size": size})
            case "/api/v1/refused":
                await self._start(
                    send,
                    403,
                    (b"content-type", b"application/problem+json"),
                    (b"content-security-policy", b"default-src 'self'"),
                    (b"cache-control", b"private, no-store"),
                    (b"retry-after", b"7"),
                )
                await send({"type": "http.response.body", "body": b"{}"})
            case _:
                headers = {name.decode(): value.decode() for name, value in scope["headers"]}
                await self._answer(
                    send,
                    {
                        "client": scope["client"][0],
                        "scheme": scope["scheme"],
                        "headers": headers,
                        "filler": "x" * 4000,
                    },
                )

    async def _answer(self, send: Any, body: object) -> None:
        await self._start(send, 200, (b"content-type", b"application/json"))
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    async def _start(self, send: Any, status: int, *headers: tuple[bytes, bytes]) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})


@asynccontextmanager
async def gateway() -> AsyncGenerator[tuple[Gateway, str]]:
    """A gateway that is served as the api is, and where."""
    app = Gateway()
    async with serve(app, host="127.0.0.1", port=0, trusted_proxies="127.0.0.1") as port:
        yield app, f"http://127.0.0.1:{port}"

"""Endpoints that webhooks tell, as endpoints are: good, slow, failing, lying, gone."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

# What an endpoint does with a request: a whole answer, or b"" to end the connection, or None to
# say nothing until the other end has enough.
Reply = Callable[[dict[str, Any]], bytes | None]


def answer(status: str = "204 No Content", *headers: str, body: bytes = b"") -> bytes:
    length = [] if status.startswith("204") else [f"Content-Length: {len(body)}"]
    return "\r\n".join([f"HTTP/1.1 {status}", *length, *headers, "", ""]).encode() + body


OK = answer()


@dataclass(frozen=True)
class Told:
    """One request that an endpoint was sent."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """As the specification has it, and not as we wrote it."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = b".".join(
            (
                self.headers["webhook-id"].encode(),
                self.headers["webhook-timestamp"].encode(),
                self.body,
            )
        )
        expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


@dataclass
class Receiver:
    """An endpoint, what it was told, and what it took."""

    port: int = 0
    reply: Reply = lambda event: OK
    told: list[Told] = field(default_factory=list[Told])
    taken: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    connections: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def says(self, reply: bytes | None) -> None:
        self.reply = lambda event: reply

    @property
    def types(self) -> list[str]:
        return [one["type"] for one in self.taken]

    async def until(self, check: Callable[["Receiver"], Any], seconds: float = 20) -> None:
        """Wait for what is to come, not for time to pass."""
        try:
            async with asyncio.timeout(seconds):
                while not check(self):
                    self.came.clear()
                    await self.came.wait()
        except TimeoutError:
            raise AssertionError(
                f"told {[one.event['type'] for one in self.told][-20:]}, took {self.types[-20:]}"
            ) from None

    async def has(self, count: int) -> list[dict[str, Any]]:
        await self.until(lambda self: len(self.taken) >= count)
        return self.taken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head.strip().split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (field.partition(":") for field in fields)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                told = Told(line, headers, body)
                self.told.append(told)
                reply = self.reply(told.event)
                if reply == OK:
                    self.taken.append(told.event)
                self.came.set()
                if reply is None:
                    await reader.read()
                    return
                writer.write(reply)
                if not reply.startswith(b"HTTP/1.1 2") or reply != OK:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(port: int = 0) -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()

"""The door through which Postbus reaches a mail server: shut and opened when one wants."""

import asyncio
import time
from dataclasses import dataclass, field

from tests.servers.proxy import Proxy


def _opened() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(eq=False)
class Door(Proxy):
    """`shut()` lets callers wait before the server's greeting, `open()` lets them in.

    When somebody follows a mailbox (IDLE), the door says so.
    """

    knocked: asyncio.Event = field(default_factory=asyncio.Event)  # somebody waits outside
    idled: asyncio.Event = field(default_factory=asyncio.Event)  # somebody said IDLE
    idled_at: float = 0.0
    _let_in: asyncio.Event = field(default_factory=_opened)

    def shut(self) -> None:
        """End every connection, and keep whoever comes outside."""
        self.knocked.clear()
        self._let_in.clear()
        self.cut()

    def open(self) -> float:
        """Let in who waits; the moment."""
        self.idled.clear()
        self._let_in.set()
        return time.monotonic()

    async def _serve(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not self._let_in.is_set():
            self.knocked.set()
            await self._let_in.wait()
        await super()._serve(port, _Overheard(reader, self), writer)


class _Overheard(asyncio.StreamReader):
    """What the client says, listened to on its way."""

    def __init__(self, reader: asyncio.StreamReader, door: Door) -> None:
        super().__init__()
        self._reader = reader
        self._door = door

    async def read(self, n: int = -1) -> bytes:
        piece = await self._reader.read(n)
        if b" IDLE\r\n" in piece:
            self._door.idled_at = time.monotonic()
            self._door.idled.set()
        return piece

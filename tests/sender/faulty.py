"""A submission server that fails once for each message, in the way that is the message's lot.

The message is known by the number in its sender's address, `ada+17@…`. Whatever befalls it, the
server keeps book of every dot that reached it, of what it answered, and of what it delivered.
"""

import asyncio
import contextlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

_NUMBER = re.compile(r"MAIL FROM:<[^+>]*\+(\d+)@", re.IGNORECASE)


class Phase(Enum):
    """When it befalls the message."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()
    DOT = auto()


class Fault(Enum):
    """What befalls a message."""

    NONE = auto()
    RESET = auto()  # the line goes dead
    HANG_UP = auto()
    HALF_ANSWER = auto()  # some bytes of an answer, then the line goes dead
    GARBAGE = auto()
    LATER = auto()  # 4yz
    NEVER = auto()  # 5yz
    CLOSING = auto()  # 421, and the line is closed
    SLOW = auto()
    DELIVERED_AND_LOST = auto()  # after the dot: taken, and the answer is lost
    KILL_SENDER = auto()
    KILL_POSTGRES = auto()
    KILL_NATS = auto()


@dataclass(frozen=True, slots=True)
class Lot:
    """What a message will meet at its first attempt."""

    phase: Phase
    fault: Fault
    offset: int = 0  # bytes of the body, or of the answer, before the line goes dead


def lots(count: int, *, seed: int, kills: int) -> list[Lot]:
    """As many lots, every phase with every fault again and again; among them so many kills."""
    chance = random.Random(seed)
    wire = [
        Lot(phase, fault)
        for phase in Phase
        for fault in Fault
        if fault.name[:4] != "KILL"
        and (phase is Phase.DOT or fault is not Fault.DELIVERED_AND_LOST)
    ]
    deaths = [
        Lot(phase, fault)
        for phase in Phase
        for fault in (Fault.KILL_SENDER, Fault.KILL_POSTGRES, Fault.KILL_NATS)
    ]
    drawn = [wire[number % len(wire)] for number in range(count - kills)]
    drawn += [deaths[number % len(deaths)] for number in range(kills)]
    chance.shuffle(drawn)
    return [Lot(one.phase, one.fault, chance.randrange(0, 4000)) for one in drawn]


@dataclass
class Book:
    """What the server saw of one message."""

    attempts: int = 0
    dots: int = 0
    said_later: int = 0  # dots that were answered with 4yz: it may be sent again
    delivered: int = 0


@dataclass
class FaultyServer:
    """Takes mail; `kill` is what it does where a lot says that somebody dies."""

    lots: list[Lot]
    kill: Callable[[Fault], Awaitable[None]]
    books: dict[int, Book] = field(default_factory=lambda: defaultdict(Book))
    met: Counter[Lot] = field(default_factory=Counter[Lot])
    port: int = 0
    _talks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator["FaultyServer"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for talk in list(self._talks):
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            await _Talk(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, _Over):
            pass
        except asyncio.CancelledError:
            pass  # the server closes
        finally:
            self._talks.discard(task)
            writer.transport.abort()


class _Over(Exception):
    """The talk ended."""


class _Talk:
    def __init__(
        self, server: FaultyServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._book = Book()
        self._lot: Lot | None = None
        self._number = -1

    async def run(self) -> None:
        await self._say("220 mx.example ESMTP")
        while line := (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n"):
            match line[:4].upper():
                case "EHLO":
                    await self._say("250-mx.example\r\n250-SIZE 50000000\r\n250 AUTH PLAIN")
                case "AUTH":
                    await self._say("235 2.7.0 welcome")
                case "MAIL":
                    self._begin(line)
                    await self._meet(Phase.MAIL, "250 2.1.0 ok")
                case "RCPT":
                    await self._meet(Phase.RCPT, "250 2.1.5 ok")
                case "DATA":
                    if await self._meet(Phase.DATA, "354 go on"):
                        await self._take()
                case "QUIT":
                    await self._say("221 bye")
                    return
                case _:
                    await self._say("250 ok")

    def _begin(self, line: str) -> None:
        found = _NUMBER.search(line)
        assert found is not None, line
        number = self._number = int(found[1])
        self._book = self._server.books[number]
        self._lot = self._server.lots[number] if self._book.attempts == 0 else None
        self._book.attempts += 1

    async def _take(self) -> None:
        body = bytearray()
        lot = self._lot if self._lot and self._lot.phase is Phase.BODY else None
        while not (b"\r\n" + body[-5:]).endswith(b"\r\n.\r\n"):
            more = await self._reader.read(1024)
            if not more:
                raise _Over
            body += more
            if lot and len(body) >= min(lot.offset, 1500):
                lot = None
                if not await self._meet(Phase.BODY, ""):
                    return
        self._book.dots += 1
        if await self._meet(Phase.DOT, "250 2.0.0 taken"):
            self._book.delivered += 1

    async def _meet(self, phase: Phase, well: str) -> bool:
        """Answer, or what the lot says; whether the message goes on."""
        lot = self._lot
        if lot is None or lot.phase is not phase:
            await self._well(phase, well)
            return True
        self._lot = None
        self._server.met[Lot(lot.phase, lot.fault)] += 1
        match lot.fault:
            case Fault.NONE:
                await self._well(phase, well)
                return True
            case Fault.SLOW:
                await asyncio.sleep(0.3)
                await self._well(phase, well)
                return True
            case Fault.RESET:
                raise _Over
            case Fault.HANG_UP:
                self._writer.write_eof()
                raise _Over
            case Fault.HALF_ANSWER:
                self._writer.write(b"250 2.0.0 taken"[: 1 + lot.offset % 14])
                await self._writer.drain()
                raise _Over
            case Fault.GARBAGE:
                await self._say("what?")
                raise _Over
            case Fault.LATER:
                self._book.said_later += phase is Phase.DOT
                await self._say("451 4.3.0 later")
            case Fault.NEVER:
                await self._say("554 5.7.1 never")
            case Fault.CLOSING:
                self._book.said_later += phase is Phase.DOT
                await self._say("421 4.3.2 closing")
                raise _Over
            case Fault.DELIVERED_AND_LOST:
                self._book.delivered += 1
                raise _Over
            case Fault.KILL_SENDER | Fault.KILL_POSTGRES | Fault.KILL_NATS:
                await self._server.kill(lot.fault)
                await self._well(phase, well)
                return True
        return False

    async def _well(self, phase: Phase, well: str) -> None:
        if phase is not Phase.BODY:
            await self._say(well)

    async def _say(self, words: str) -> None:
        self._writer.write(words.encode() + b"\r\n")
        await self._writer.drain()

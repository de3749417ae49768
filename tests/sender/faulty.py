"""A submission server that fails once for each message, in the way that is the message's lot.

The message is known by the number in its sender's address, `ada+17@…`. Whatever befalls it, the
server keeps book of every dot that reached it, of what it answered, and of what it delivered.
Sessions have lots, too: what befalls them on the way to the first message.
"""

import asyncio
import contextlib
import random
import re
import ssl
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto

_NUMBER = re.compile(r"MAIL FROM:<[^+>]*\+(\d+)@", re.IGNORECASE)


class Phase(Enum):
    """When it befalls the session, or the message."""

    GREETING = auto()
    EHLO = auto()
    STARTTLS = auto()
    HANDSHAKE = auto()  # STARTTLS was taken
    PROTECTED_EHLO = auto()
    AUTH = auto()

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()
    DOT = auto()


#: Before the server knows of any message.
SIGNING_IN = (
    *(Phase.GREETING, Phase.EHLO, Phase.STARTTLS, Phase.HANDSHAKE),
    *(Phase.PROTECTED_EHLO, Phase.AUTH),
)
HANDING_OVER = (Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.BODY, Phase.DOT)


class Fault(Enum):
    """What befalls a session or a message."""

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
    """What a session will meet, or a message at its first attempt."""

    phase: Phase
    fault: Fault
    offset: int = 0  # bytes of the body, or of the answer, before the line goes dead


KILLS = (Fault.KILL_SENDER, Fault.KILL_POSTGRES, Fault.KILL_NATS)


def lots(count: int, *, seed: int, kills: int) -> list[Lot]:
    """As many lots of messages, every phase with every fault again and again; so many kills."""
    wire = [
        Lot(phase, fault)
        for phase in HANDING_OVER
        for fault in Fault
        if fault not in KILLS and (phase is Phase.DOT or fault is not Fault.DELIVERED_AND_LOST)
    ]
    return _drawn(wire, HANDING_OVER, count, seed=seed, kills=kills)


def lots_of_sessions(count: int, *, seed: int, kills: int) -> list[Lot]:
    """As many lots of sessions; 48 are every phase with every fault of the wire."""
    wire = [
        Lot(phase, fault)
        for phase in SIGNING_IN
        for fault in Fault
        if fault not in (*KILLS, Fault.NONE, Fault.DELIVERED_AND_LOST)
    ]
    return _drawn(wire, SIGNING_IN, count, seed=seed, kills=kills)


def _drawn(
    wire: list[Lot], phases: tuple[Phase, ...], count: int, *, seed: int, kills: int
) -> list[Lot]:
    chance = random.Random(seed)
    deaths = [Lot(phase, fault) for phase in phases for fault in KILLS]
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
    session_lots: list[Lot]
    tls: ssl.SSLContext
    kill: Callable[[Fault], Awaitable[None]]
    sessions: int = 0
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
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, _Over):
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
        self._number = -1
        self._protected = False
        # Kept sessions are few: a message has every other one, or nothing would be handed over.
        number, pause = divmod(server.sessions, 2)
        server.sessions += 1
        lots = server.session_lots
        self._lot: Lot | None = lots[number] if not pause and number < len(lots) else None

    async def run(self) -> None:
        if not await self._meet(Phase.GREETING, "220 mx.example ESMTP"):
            return
        while line := (await self._reader.readline()).decode("utf-8", "replace").rstrip("\r\n"):
            match line[:4].upper():
                case "EHLO":
                    await self._greet()
                case "STAR":
                    await self._protect()
                case "AUTH":
                    await self._meet(Phase.AUTH, "235 2.7.0 welcome")
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

    async def _greet(self) -> None:
        if self._protected:
            await self._meet(
                Phase.PROTECTED_EHLO, "250-mx.example\r\n250-SIZE 50000000\r\n250 AUTH PLAIN"
            )
        else:
            await self._meet(Phase.EHLO, "250-mx.example\r\n250 STARTTLS")

    async def _protect(self) -> None:
        plain = self._writer.transport
        assert isinstance(plain, asyncio.Transport)
        # What follows upon "go on" is for the handshake: read here, it would be lost to it.
        plain.pause_reading()
        if await self._meet(Phase.STARTTLS, "220 go on") and await self._meet(Phase.HANDSHAKE, ""):
            await self._writer.start_tls(self._server.tls)
            self._protected = True
        else:
            plain.resume_reading()

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
                self._writer.close()
                await self._writer.wait_closed()
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
        if phase not in (Phase.BODY, Phase.HANDSHAKE):
            await self._say(well)

    async def _say(self, words: str) -> None:
        self._writer.write(words.encode() + b"\r\n")
        await self._writer.drain()

"""The connection itself: aioimaplib's protocol, with the parts replaced that cannot carry mail.

As shipped (2.0.3) it takes one Python frame per line of an answer, so a thousand lines end the
connection; formats every chunk for a log nobody reads; is quadratic in the parts of a FETCH; knows
one FETCH at a time; reads on however far its consumer is behind; and drops what arrives unasked
while another command runs. What is kept of it: tags, states, and which command belongs to which
state. No type of the library leaves this module.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aioimaplib.aioimaplib import Commands, IMAP4ClientProtocol

from services.sync.imap.arguments import Part
from services.sync.imap.errors import (
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Refused,
    Silent,
    refusal,
)
from services.sync.imap.framing import Frame, Framer, size_of
from services.sync.imap.news import NewsBox
from services.sync.imap.parser import (
    Answer,
    Continue,
    Noise,
    Status,
    Untagged,
    Value,
    as_words,
    parse_answer,
)
from shared.contracts.account import Security

Dial = Callable[[str, int], Awaitable[socket.socket]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a mail server is and how it is spoken to."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long we wait, in seconds. No silence is waited for without end."""

    connect: float = 20.0  # the TLS handshake, and then the greeting
    silence: float = 60.0  # without one byte while an answer is owed
    answer: float = 600.0  # for one whole answer, however slowly it drips


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a server's talk we hold."""

    literal_bytes: int = 80 * 1024 * 1024  # one message
    line_bytes: int = 32 * 1024 * 1024  # a SEARCH answer of some millions
    queued_bytes: int = 4 * 1024 * 1024  # before the server has to wait for us


class Wire(IMAP4ClientProtocol):
    """Bytes in, whole answers out; commands in, bytes out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeouts: Timeouts, limits: Limits) -> None:
        super().__init__(loop)
        self._loop = loop
        self.transport: asyncio.Transport
        self.timeouts = timeouts
        self.news = NewsBox()
        self.offers: frozenset[str] = frozenset()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._limits = limits
        self._framer = Framer(
            max_literal_bytes=limits.literal_bytes, max_line_bytes=limits.line_bytes
        )
        self._arrived: deque[Frame] = deque()
        self._arrived_bytes = 0
        self._reading_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._last_heard = loop.time()
        self._failure: ImapError | None = None
        self._bye: Status | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._turn = asyncio.Lock()

    # -- what asyncio calls ------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Small commands leave at once, and a peer that is gone is noticed within a minute."""
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)

    def data_received(self, d: bytes) -> None:
        """Cut what came into answers; when too many wait, let the server wait."""
        self._last_heard = self._loop.time()
        try:
            frames = self._framer.feed(d)
        except Garbled as garbled:
            self.fail(garbled)
            return
        self._arrived.extend(frames)
        self._arrived_bytes += sum(map(size_of, frames))
        if self._arrived_bytes > self._limits.queued_bytes and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()
        if frames:
            self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """No more will come; what came before is still handed over."""
        if self._failure is None:
            self._failure = Disconnected(str(exc) if exc else "")
        self._writable.set()
        self.wake()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """The server takes no more for the moment."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The server takes more again."""
        self._writable.set()

    # -- the state of the connection ---------------------------------------------------------

    @property
    def lost(self) -> bool:
        """Whether the connection has ended, as far as we know."""
        return self._failure is not None or self.transport.is_closing()

    @property
    def midway(self) -> bool:
        """Whether something came that nobody has read."""
        return bool(self._arrived) or self._framer.midway

    def fail(self, why: ImapError) -> None:
        """End the connection for this reason; whoever waits is told."""
        if self._failure is None:
            self._failure = why
        self.abort()
        self.wake()

    def abort(self) -> None:
        """Drop the connection without another word."""
        self.transport.abort()

    def wake(self) -> None:
        """Let whoever waits for an answer look up."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on; what the server offered in the clear is forgotten."""
        self.offers = frozenset()
        transport = await self._loop.start_tls(
            self.transport,
            self,
            tls,
            server_hostname=host,
            ssl_handshake_timeout=self.timeouts.connect,
        )
        if transport is None:
            raise Disconnected("The connection ended during the TLS handshake.")
        self.transport = transport

    # -- reading -----------------------------------------------------------------------------

    def next_arrived(self) -> Frame | None:
        """An answer that is there already."""
        if not self._arrived:
            return None
        frame = self._arrived.popleft()
        self._arrived_bytes -= size_of(frame)
        if self._reading_paused and self._arrived_bytes <= self._limits.queued_bytes // 2:
            self._reading_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return frame

    async def frame(self, *, silence: float | None = None) -> Frame:
        """The next answer. Never waits longer than the timeouts say."""
        began = self._loop.time()
        silence = self.timeouts.silence if silence is None else silence
        while (frame := self.next_arrived()) is None:
            if self._failure is not None:
                raise self._ending()
            until = min(max(began, self._last_heard) + silence, began + self.timeouts.answer)
            if until <= self._loop.time():
                self.fail(Silent())
                raise self._ending()
            await self.something(until)
        return frame

    async def something(self, until: float) -> bool:
        """Wait until an answer is there or the connection is lost (then True), or time is up."""
        if not self._arrived and self._failure is None:
            self._waiter = self._loop.create_future()
            timer = self._loop.call_at(until, self.wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        return bool(self._arrived) or self._failure is not None

    def _ending(self) -> ImapError:
        """Why the connection ended, in the server's words if it left any."""
        if self._bye is not None and isinstance(self._failure, Disconnected):
            return Bye(self._bye.text, self._bye.code)
        assert self._failure is not None
        return self._failure

    def overhear(self, answer: Answer) -> None:
        """Take note of what nobody asked for."""
        match answer:
            case Untagged(kind="CAPABILITY") | Status(code="CAPABILITY"):
                self.offers = offers_in(answer.values())
            case Status(tag=None, status="BYE"):
                self._bye = answer
            case _:
                self.news.hear(answer)

    def overhear_all(self) -> None:
        """Take note of all that came while nothing was asked."""
        while (frame := self.next_arrived()) is not None:
            self.overhear(parse_answer(frame))

    # -- writing -----------------------------------------------------------------------------

    async def write(self, data: bytes) -> None:
        """Send, not faster than the server takes it."""
        if self._failure is not None:
            self.overhear_all()
            raise self._ending()
        self.transport.write(data)
        try:
            async with asyncio.timeout(self.timeouts.answer):
                await self._writable.wait()
        except TimeoutError:
            self.fail(Silent())
            raise self._ending() from None

    def takes_literal_at_once(self, size: int) -> bool:
        """Whether a literal may follow without being asked for (RFC 7888)."""
        return "LITERAL+" in self.offers or ("LITERAL-" in self.offers and size <= 4096)

    @asynccontextmanager
    async def exchange(self) -> AsyncGenerator[Exchange, None]:
        """A turn to speak. Left with an answer still owed, the connection is of no use any more."""
        async with self._turn:
            self.overhear_all()
            exchange = Exchange(self)
            try:
                yield exchange
            finally:
                if exchange.owed:
                    self.fail(Disconnected("given up in the middle of an answer"))


class Exchange:
    """Commands sent in one turn, and the answers to them."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.owed: set[str] = set()  # tags
        self._commands: dict[str, str] = {}

    async def send(self, command: str, *parts: Part) -> str:
        """Send a command; its tag is returned.

        A literal that has to be asked for is sent only when no other command is on its way.
        """
        known = Commands.get(command.split()[0])
        if known is not None and self.wire.state not in known.valid_states:
            raise Disconnected(f"{command} cannot be said in state {self.wire.state}")
        tag = self.wire.new_tag()
        self.owed.add(tag)
        self._commands[tag] = command
        out = bytearray(f"{tag} {command}".encode("ascii"))
        for part in parts:
            out += b" "
            if isinstance(part, bytes):
                out += part
                continue
            if self.wire.takes_literal_at_once(len(part.data)):
                out += b"{%d+}\r\n" % len(part.data)
            else:
                out += b"{%d}\r\n" % len(part.data)
                await self.wire.write(bytes(out))
                out.clear()
                await self.go_ahead()
            if len(part.data) > 65_536:  # not copied once more
                await self.wire.write(bytes(out))
                await self.wire.write(part.data)
                out.clear()
            else:
                out += part.data
        out += b"\r\n"
        await self.wire.write(bytes(out))
        return tag

    async def send_line(self, line: bytes) -> None:
        """Go on with a command that the server waits for."""
        await self.wire.write(line + b"\r\n")

    async def next(self, *, silence: float | None = None) -> Answer:
        """The next answer, refusals included; a tagged one settles its command."""
        frame = await self.wire.frame(silence=silence)
        answer = parse_answer(frame)
        if isinstance(answer, Status) and answer.tag is not None:
            if answer.tag not in self.owed:
                return Noise(frame)
            self.owed.discard(answer.tag)
            if answer.code == "CAPABILITY":
                self.wire.offers = offers_in(answer.values())
        return answer

    async def answers(self) -> AsyncIterator[Untagged | Status]:
        """What the server says until it has answered all; a refusal is raised.

        What the caller does not want it hands to `overhear`.
        """
        while self.owed:
            match answer := await self.next():
                case Status(tag=str(), status="NO" | "BAD"):
                    raise self.refusal(answer)
                case Untagged() | Status():
                    yield answer
                case _:
                    pass

    async def finish(self) -> None:
        """Read on to the end of all commands; nothing in the answers is of interest."""
        async for answer in self.answers():
            self.overhear(answer)

    async def go_ahead(self) -> bytes:
        """Wait until the server asks for the rest of the one command that was sent."""
        while True:
            match answer := await self.next():
                case Continue(text):
                    return text
                case Status(tag=str(), status="OK"):
                    raise Garbled("a command was done before all of it was sent")
                case Status(tag=str()):
                    raise self.refusal(answer)
                case _:
                    self.overhear(answer)

    def overhear(self, answer: Answer) -> None:
        """Take note of what nobody asked for."""
        self.wire.overhear(answer)

    def refusal(self, status: Status) -> Refused:
        """The refusal that a NO or BAD is."""
        return refusal(
            command=self._commands.get(status.tag or "", ""),
            status=status.status,
            code=status.code,
            text=status.text,
        )


def offers_in(values: list[Value]) -> frozenset[str]:
    """Capabilities in upper case (they are case-insensitive, RFC 9051 §7.2.2)."""
    return frozenset(word.upper() for word in as_words(values))

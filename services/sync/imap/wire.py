"""The connection itself: aioimaplib's protocol, with the parts replaced that cannot carry mail.

As shipped (2.0.3) it takes one Python frame per line of an answer, so a thousand lines end the
connection; formats every chunk for a log nobody reads; is quadratic in the parts of a FETCH; knows
one FETCH at a time; reads on however far its consumer is behind; and drops what arrives unasked
while another command runs. What is kept of it: tags, states, and which command belongs to which
state. No type of the library leaves this module.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aioimaplib.aioimaplib import IMAP4ClientProtocol

from services.sync.imap.deflate import Deflated
from services.sync.imap.endpoint import Dial, Endpoint, Limits, Timeouts
from services.sync.imap.errors import (
    Bye,
    Disconnected,
    Garbled,
    ImapError,
    Silent,
)
from services.sync.imap.exchange import Exchange, offers_in
from services.sync.imap.framing import Frame
from services.sync.imap.inbound import Inbound
from services.sync.imap.names import Spelling
from services.sync.imap.news import NewsBox
from services.sync.imap.parser import (
    Answer,
    Status,
    Untagged,
    parse_answer,
)

__all__ = ["Dial", "Endpoint", "Exchange", "Limits", "Timeouts", "Wire"]


#: Bytes a second; slower is not called coming. A large message on a thin line may take an hour.
SLOWEST = 4096


class Wire(IMAP4ClientProtocol):
    """Bytes in, whole answers out; commands in, bytes out."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeouts: Timeouts, limits: Limits) -> None:
        super().__init__(loop)
        self._loop = loop
        self.transport: asyncio.Transport
        self.timeouts = timeouts
        self.news = NewsBox()
        self.offers: frozenset[str] = frozenset()
        self.enabled: frozenset[str] = frozenset()
        self.notifying = False  # whether the server tells of other mailboxes (RFC 5465)
        self.round_trip = math.inf  # the shortest there was
        self.closed: asyncio.Future[None] = loop.create_future()
        self._inbound = Inbound(limits)
        self._reading_paused = False
        self._deflated: Deflated | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._last_heard = loop.time()
        self._heard_bytes = 0
        self._waiting_since = 0  # so many bytes
        self._waited = 0.0
        self._failure: ImapError | None = None
        self._bye: Status | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._turn = asyncio.Lock()
        self._speaker: asyncio.Task[object] | None = None

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
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)  # milliseconds

    def data_received(self, d: bytes) -> None:
        """Keep what came; when too much waits, let the server wait."""
        self._last_heard = self._loop.time()
        self._heard_bytes += len(d)
        try:
            self._inbound.take_in(d)
        except Garbled as garbled:
            self._give_up(garbled)
            return
        if self._inbound.full and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()
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
        return self._inbound.midway

    @property
    def spelling(self) -> Spelling:
        """How names of mailboxes travel here."""
        utf8 = not {"UTF8=ACCEPT", "IMAP4REV2"}.isdisjoint(self.enabled)
        if utf8 or ("IMAP4REV2" in self.offers and "IMAP4REV1" not in self.offers):
            return Spelling.UTF8
        return Spelling.MODIFIED_UTF7

    def fail(self, why: ImapError) -> None:
        """End the connection for this reason; whoever waits is told."""
        if self._failure is None:
            self._failure = why
        self.abort()
        self.wake()

    def _give_up(self, garbled: Garbled) -> None:
        """What came cannot be read, and so nothing after it."""
        self._inbound.clear()
        self.fail(garbled)

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

    def compress(self) -> None:
        """Speak compressed from here on (RFC 4978 §3)."""
        self._deflated = Deflated()
        try:
            self._inbound.inflate()
        except Garbled as garbled:
            self._give_up(garbled)

    # -- reading -----------------------------------------------------------------------------

    def next_arrived(self) -> Frame | None:
        """An answer that is there already."""
        try:
            frame = self._inbound.next()
        except Garbled as garbled:
            self._give_up(garbled)
            return None
        if self._reading_paused and not self._inbound.full:
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
            now = self._loop.time()
            enough = self.timeouts.answer + (self._heard_bytes - self._waiting_since) / SLOWEST
            until = min(max(began, self._last_heard) + silence, now + enough - self._waited)
            if until <= now:
                self.fail(Silent())
                raise self._ending()
            await self._look_up(until)
            self._waited += self._loop.time() - now
        return frame

    def begin_to_wait(self) -> None:
        """Something that was waited for has come, or nothing was: patience is new."""
        self._waited = 0.0
        self._waiting_since = self._heard_bytes

    async def something(self, until: float) -> bool:
        """Wait until an answer is there or the connection is lost (then True), or time is up.

        False comes early when something is on its way, or `wake` was called.
        """
        if not self._answered():
            await self._look_up(until)
        return self._answered()

    def _answered(self) -> bool:
        try:
            return self._inbound.ready or self._failure is not None
        except Garbled as garbled:
            self._give_up(garbled)
            return True

    async def _look_up(self, until: float) -> None:
        """Wait until anything happens, or time is up."""
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(until, self.wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

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
            case Status(tag=None, code="NOTIFICATIONOVERFLOW"):  # it tells no more (RFC 5465 §5.8)
                self.notifying = False
                self.news.flood()
            case Untagged(kind="STATUS" | "LIST") if self.notifying:
                self.news.hear_elsewhere(answer, self.spelling)
            case _:
                self.news.hear(answer)

    def catch_up(self) -> None:
        """Take note of what came while nothing was asked; while something is, it may be that."""
        if not self._turn.locked():
            self.overhear_all()

    def overhear_all(self) -> None:
        """Take note of all that is there already."""
        while (frame := self.next_arrived()) is not None:
            self.overhear(parse_answer(frame))

    # -- writing -----------------------------------------------------------------------------

    async def write(self, data: bytes) -> None:
        """Send, not faster than the server takes it."""
        if self._failure is not None:
            self.overhear_all()
            raise self._ending()
        if self._deflated is not None:
            data = self._deflated.of(data)
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
    async def exchange(self, *, cut_at: int | None = None) -> AsyncGenerator[Exchange, None]:
        """A turn to speak. Left with an answer still owed, the connection is of no use any more.

        Of literals longer than `cut_at` only the beginning is held, and given as Cut.
        """
        if self._speaker is asyncio.current_task() and self._turn.locked():
            raise RuntimeError("a stream of answers is open: nothing else can be asked inside it")
        async with self._turn:
            self._speaker = asyncio.current_task()
            self.overhear_all()
            exchange = Exchange(self)
            self._inbound.cut_literals(cut_at)
            try:
                yield exchange
            finally:
                self._inbound.cut_literals(None)
                self._speaker = None
                if exchange.owed:
                    self.fail(Disconnected("given up in the middle of an answer"))

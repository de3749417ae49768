"""A session with one IMAP server, from dialling to goodbye.

    async with connect(endpoint, dial=dial) as session:
        await session.login(username, password)
        selected = await session.select(mailbox.raw_name, readonly=True)
        async with aclosing(session.fetch(await session.uids(EVERY_UID))) as messages:
            async for message in messages:
                ...

One thing is done at a time on a session: callers that share one wait for each other. Whatever the
server tells on the way that nobody asked for (new messages, expunges, changed flags) is kept as
news, see `take_news`. A command that is given up in the middle (an error, a cancelled task, an
abandoned `fetch`) ends the connection, because what is still on its way could not be told apart
from the answer to the next command; the session then raises Disconnected.

What comes as a stream holds the turn to speak until it ends: nothing else can be asked of the same
session inside the loop. Whoever may leave such a loop early uses `contextlib.aclosing`.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from array import array
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from aioimaplib.aioimaplib import SELECTED

from services.sync.domain.covered import Covered, Span
from services.sync.imap.append import Appended, append
from services.sync.imap.bearer import authenticate
from services.sync.imap.capability import Capabilities
from services.sync.imap.compress import compress
from services.sync.imap.enable import enable
from services.sync.imap.errors import Refused
from services.sync.imap.fetch import Fetched, FlagsOf, Head, fetch
from services.sync.imap.flags import changes, flags
from services.sync.imap.greeting import open_wire
from services.sync.imap.heads import heads
from services.sync.imap.id import identify
from services.sync.imap.idle import Woken, idle
from services.sync.imap.list import ListedMailbox, list_mailboxes, survey
from services.sync.imap.login import login
from services.sync.imap.logout import logout
from services.sync.imap.mailboxes import create, delete, rename, subscribe, unsubscribe
from services.sync.imap.names import MailboxName
from services.sync.imap.news import News
from services.sync.imap.noop import noop
from services.sync.imap.notify import notify, unnotify
from services.sync.imap.search import larger, search_message_id, uids
from services.sync.imap.sections import beginning, sections, sections_of_each, slices
from services.sync.imap.select import Selected, select
from services.sync.imap.status import StatusOf, status
from services.sync.imap.store import Stored, store_flags, store_labels
from services.sync.imap.structure import Structure, structure
from services.sync.imap.transfer import Landed, copy, expunge, move
from services.sync.imap.wire import Dial, Endpoint, Limits, Timeouts, Wire

DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_LIMITS = Limits()


@asynccontextmanager
async def connect(
    endpoint: Endpoint,
    *,
    dial: Dial,
    tls: ssl.SSLContext | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncGenerator[Session, None]:
    """A greeted, encrypted (as the endpoint demands), not yet authenticated session.

    Raises Unreachable, Untrusted, Insecure, Bye or Garbled. Certificates are verified unless `tls`
    says otherwise. Leaving the block says LOGOUT when all is well and drops the connection when
    it is not.
    """
    context = tls or ssl.create_default_context()
    wire = await open_wire(endpoint, dial=dial, tls=context, timeouts=timeouts, limits=limits)
    session = Session(wire)
    try:
        yield session
        await session.logout()
    finally:
        wire.abort()


class Session:
    """What a mail server can be asked. Every call may raise Disconnected, Garbled or Refused."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._selected: Selected | None = None
        #: When it should be left for a new one, by the monotonic clock: its token ends.
        self.renew_at = math.inf
        self._server: Mapping[str, str] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers now: `"IDLE" in session.capabilities`."""
        return self._wire.offers

    @property
    def server(self) -> Mapping[str, str]:
        """What the server said it is (`name`, `vendor`, …); empty before `id`, or without ID."""
        return self._server

    @property
    def selected(self) -> Selected | None:
        """The open mailbox as it was when it was opened."""
        return self._selected if self._wire.state == SELECTED else None

    @property
    def lost(self) -> bool:
        """Whether the connection has ended, as far as we know without asking."""
        return self._wire.lost

    @property
    def enabled(self) -> frozenset[str]:
        """What was agreed on by `enable`: QRESYNC, CONDSTORE, UTF8=ACCEPT."""
        return self._wire.enabled

    @property
    def round_trip(self) -> float:
        """Seconds from a command to the end of its answer, at best; 0.0 before there was one."""
        return 0.0 if math.isinf(self._wire.round_trip) else self._wire.round_trip

    @property
    def notifying(self) -> bool:
        """Whether the server tells of other mailboxes; ends when it told more than it could."""
        return self._wire.notifying

    @property
    def _has_modseq(self) -> bool:
        return self._selected is not None and self._selected.highestmodseq is not None

    async def login(self, username: str, password: str) -> None:
        """Prove who we are; AuthFailed carries the server's words.

        Unavailable is raised when the server says it cannot tell at the moment: then the
        password may be right.
        """
        await login(self._wire, username, password)

    async def authenticate(self, username: str, token: str, *, host: str, port: int) -> None:
        """Prove who we are by an access token; TokenRefused carries the server's words."""
        await authenticate(self._wire, username, token, host=host, port=port)

    async def id(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Introduce ourselves and learn what the server is; empty where ID is not offered."""
        said = await identify(self._wire, fields)
        self._server = said
        return said

    async def enable(self) -> frozenset[str]:
        """Agree on QRESYNC and UTF-8 where offered; once, after login, before anything is open."""
        return await enable(self._wire)

    async def compress(self) -> bool:
        """Compress all that travels from here on; False when the server does not do that."""
        return await compress(self._wire)

    async def notify(self) -> bool:
        """Be told of every mailbox, not only of the open one; False when that is not offered.

        What is told of others is news: Elsewhere. Flood, and `notifying` no longer true, when
        there was more than the server can tell.
        """
        return await notify(self._wire)

    async def unnotify(self) -> None:
        """Be told of the open mailbox only, as without `notify`."""
        await unnotify(self._wire)

    async def list_mailboxes(self) -> list[ListedMailbox]:
        """Every mailbox, each once."""
        return await list_mailboxes(self._wire)

    async def survey(self) -> tuple[list[ListedMailbox], dict[MailboxName, StatusOf]]:
        """Every mailbox, each once, and the counters of each that can be counted, by `raw_name`."""
        return await survey(self._wire)

    async def select(self, mailbox: MailboxName, *, readonly: bool) -> Selected:
        """Open a mailbox; with `readonly` nothing we do can change it (EXAMINE)."""
        self._selected = None
        self._selected = await select(self._wire, mailbox, readonly=readonly)
        return self._selected

    async def uids(self, span: Span) -> array[int]:
        """Which UIDs in the span exist now, in order, four bytes each. Complete, or an error."""
        return await uids(self._wire, span)

    def flags(self, span: Span) -> AsyncGenerator[list[FlagsOf]]:
        """How each message in the span is marked, some hundreds at a time, in the server's order.

        With modification sequences where the mailbox has them. Complete, or an error. A message
        whose marks change meanwhile may come twice: the later one counts.
        """
        return flags(self._wire, span, modseq=self._has_modseq)

    def changes(self, since: int) -> AsyncGenerator[list[FlagsOf] | Covered]:
        """What came, was marked or vanished in the open mailbox since a modification sequence.

        Covered are UIDs that are gone, some of which may never have been; a server tells them only
        when QRESYNC is enabled. Complete, or an error. Only for a mailbox with `highestmodseq`.
        """
        return changes(self._wire, since)

    def heads(self, uids: Sequence[int], *, named: bool) -> AsyncGenerator[list[Head]]:
        """What there is to know of messages without fetching them; who is gone does not come.

        With `named` also the header fields by which a message is known again.
        """
        return heads(self._wire, uids, named=named, modseq=self._has_modseq)

    async def larger(self, uids: Sequence[int], octets: int) -> set[int] | None:
        """Which of these messages are larger than that; None when the server does not say."""
        return await larger(self._wire, uids, octets)

    async def structure(self, uids: Sequence[int]) -> dict[int, Structure]:
        """How these messages are built; what is gone or cannot be understood is left out."""
        return await structure(self._wire, uids)

    async def sections(self, uid: int, names: Sequence[str]) -> dict[str, bytes]:
        """Parts of a message by name (`HEADER`, `1.2`, `1.2.MIME`), as encoded; NIL is left out."""
        return await sections(self._wire, uid, names)

    def sections_of_each(
        self, names: Mapping[int, Sequence[str]]
    ) -> AsyncGenerator[tuple[int, dict[str, bytes] | Refused]]:
        """The same of several messages, several commands on their way; or the refusal of one."""
        return sections_of_each(self._wire, names)

    async def beginning(self, uid: int, octets: int) -> bytes | None:
        """The first so many octets of a message, whatever its parts; None when it is not there."""
        return await beginning(self._wire, uid, octets)

    def slices(self, uid: int, section: str) -> AsyncGenerator[bytes]:
        """A part as it is encoded, or with no section the whole message, a megabyte at a time.

        Between two slices anything else may be asked.
        """
        return slices(self._wire, uid, section)

    def fetch(
        self,
        uids: Sequence[int],
        *,
        at_most: int | None = None,
        batch: int = 50,
        in_flight: int = 4,
    ) -> AsyncGenerator[Fetched]:
        """Whole messages, as they come; what is not there (any more) does not come.

        Several FETCH commands are on their way at once. When the consumer is slow the server
        waits: not more than Limits.queued_bytes and one message are held. A message larger than
        `at_most`, whatever the server said of it before, comes with nothing in it; without that,
        one larger than Limits.literal_bytes raises TooLarge and ends the connection.
        Use `contextlib.aclosing` if you may stop early; stopping early ends the connection.
        """
        return fetch(self._wire, uids, at_most=at_most, batch=batch, in_flight=in_flight)

    async def append(
        self,
        mailbox: MailboxName,
        raw: bytes,
        *,
        flags: Iterable[str] = (),
        date: datetime | None = None,
    ) -> Appended | None:
        """File a message; where it went to (APPENDUID), or None when the server does not say."""
        return await append(self._wire, mailbox, raw, flags=flags, date=date)

    async def search_message_id(self, message_id: str) -> list[int]:
        """UIDs in the selected mailbox whose Message-ID is this (with or without brackets)."""
        return await search_message_id(self._wire, message_id)

    async def store_flags(
        self, uids: Sequence[int], sign: str, flags: Iterable[str], *, since: int | None
    ) -> Stored:
        """Add (`+`) or remove (`-`) flags; with `since` only to what was not changed after it."""
        return await store_flags(self._wire, uids, sign, flags, since=since)

    async def store_labels(self, uids: Sequence[int], sign: str, labels: Iterable[str]) -> Stored:
        """Add or remove labels, where the server has them (X-GM-EXT-1)."""
        return await store_labels(self._wire, uids, sign, labels)

    async def copy(self, uids: Sequence[int], mailbox: MailboxName) -> Landed:
        """Copy messages of the open mailbox; NoSuchMailbox where there is no such target."""
        return await copy(self._wire, uids, mailbox)

    async def move(self, uids: Sequence[int], mailbox: MailboxName) -> Landed:
        """Move messages of the open mailbox; only where MOVE is offered."""
        return await move(self._wire, uids, mailbox)

    async def expunge(self, uids: Sequence[int]) -> None:
        """Remove these if they are marked \\Deleted; only where UIDPLUS is offered."""
        await expunge(self._wire, uids)

    async def create(self, mailbox: MailboxName) -> None:
        """Make a mailbox."""
        await create(self._wire, mailbox)

    async def rename(self, mailbox: MailboxName, to: MailboxName) -> None:
        """Give a mailbox, and those in it, another name."""
        await rename(self._wire, mailbox, to)

    async def delete(self, mailbox: MailboxName) -> None:
        """Remove a mailbox with all that is in it."""
        await delete(self._wire, mailbox)

    async def subscribe(self, mailbox: MailboxName) -> None:
        """Subscribe to a mailbox."""
        await subscribe(self._wire, mailbox)

    async def unsubscribe(self, mailbox: MailboxName) -> None:
        """Be subscribed to a mailbox no longer."""
        await unsubscribe(self._wire, mailbox)

    async def status(self, mailboxes: Sequence[MailboxName]) -> dict[MailboxName, StatusOf]:
        """Counters of mailboxes without selecting them; one that is gone is left out."""
        return await status(self._wire, mailboxes)

    async def idle(self, seconds: float, *, wake: asyncio.Event | None = None) -> Woken:
        """Wait until the server has news (NEWS), `wake` is set (CALLED) or time is up (TIMEOUT).

        News that came before returns at once: take_news first. Never longer than 9 minutes. Where
        IDLE is not offered the server is asked by NOOP every minute.
        """
        return await idle(self._wire, seconds, wake)

    async def noop(self) -> None:
        """Ask for news; proves that the server is alive."""
        await noop(self._wire)

    @property
    def has_news(self) -> bool:
        """Whether there is something to take."""
        return bool(self._wire.news)

    def take_news(self) -> list[News]:
        """What the server told since last asked: see `news`. Selecting a mailbox forgets it."""
        self._wire.catch_up()
        return self._wire.news.take()

    async def logout(self) -> None:
        """Say goodbye and close; that the other end is gone already is no matter."""
        await logout(self._wire)

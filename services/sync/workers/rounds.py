"""A session's rounds: look at every mailbox that may have changed, fetch what is owed, wait.

Each wake and each reconnect runs the same round, so that a missed hint costs time and nothing
else. INBOX is followed by IDLE, the other mailboxes by NOTIFY where the server has it (RFC 5465)
and by their counters otherwise.
"""

import asyncio
import functools
import math
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from services.sync.actions.look_at_mailbox import Looked, look_at_mailbox, status_line
from services.sync.actions.note_copied import note_copied
from services.sync.actions.note_doing import note_doing
from services.sync.actions.prove_mailbox import prove_mailbox
from services.sync.actions.pull_batch import Pulled
from services.sync.actions.refresh_mailboxes import Surveyed, refresh_mailboxes
from services.sync.actions.settle_lost import settle_lost
from services.sync.called import Call
from services.sync.domain.mailbox_order import reading_order
from services.sync.domain.reason import Reason
from services.sync.domain.reunion import PATIENCE
from services.sync.domain.survey import SurveyOutdated
from services.sync.imap.errors import Disconnected, ImapError, Refused, Unavailable
from services.sync.imap.idle import Woken
from services.sync.imap.names import MailboxName
from services.sync.imap.news import Elsewhere, Flood
from services.sync.imap.session import Session
from services.sync.imap.status import StatusOf
from services.sync.metrics import CONNECTIONS, PULL_SECONDS
from services.sync.store import audits, mailboxes
from services.sync.store.accounts import Doing
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.workers.carrying import Carrier
from services.sync.workers.copying import Copier
from services.sync.workers.meter import Meter
from services.sync.workers.progress import Progress
from services.sync.world import World
from shared.contracts.account import AccountState
from shared.contracts.mail import MailboxRole

log = structlog.get_logger()

_INBOX_SECONDS = 10.0  # during a first copy, new mail waits no longer than this
_NOTIFIED_POLLS = 3
_MOVE_SECONDS = 0.25
_NEAR_SECONDS = 0.01
#: Lists made while names change lack a mailbox; what was in it is not given up after one of them.
_LISTS = 3
_OUTDATED = 3  # surveys in a row; then what is there is taken as it is
_GATHER_SECONDS = 2.0  # expunges that come together are looked for together


class Rounds:
    """Keeps the copy of one account equal to its server, over one session."""

    def __init__(
        self,
        lease: Lease,
        world: World,
        session: Session,
        copier: Copier,
        carrier: Carrier,
        wake: Call,
        second: Callable[[], Awaitable[Session | None]],
        meter: Meter,
        *,
        idle_seconds: int | None = None,
    ) -> None:
        self._lease = lease
        self._world = world
        self._session = session
        self._copier = copier
        self._carrier = carrier
        self._carries = False  # just now
        self._carry_at = math.inf  # when the next intent is due
        self._wake = wake
        self._second = second
        self._meter = meter
        self._idle_seconds = math.inf if idle_seconds is None else idle_seconds
        self._selected: UUID | None = None
        self._inbox: Mailbox | None = None
        self._glanced = 0.0
        self._lost_at: float | None = None  # when some message lost its place
        self._may = True  # fill, as of the beginning of the round
        self._surveyed: Mapping[MailboxName, StatusOf] = {}
        self._outdated = 0
        self._rests: dict[UUID, str | None] = {}  # mailboxes put off, and their counters then
        self._progress = Progress(lease, world)

    async def run(self, well: Callable[[], Awaitable[None]]) -> None:
        """Until the session is to be renewed; `well` is called after each round that went well."""
        while True:
            try:
                with _counted("pulling"):
                    await self._carry()
                    self._wake.clear()
                    await self._round()
                await well()
                if time.monotonic() >= self._session.renew_at:
                    return
                if self._lost_at is None:
                    await self._follow()
            except SurveyOutdated:
                self._outdated += 1  # in a row

    # -- waiting -------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Follow INBOX by IDLE until the next round is due."""
        # Who tells of what happens in the other mailboxes is asked only for new ones.
        patience = _NOTIFIED_POLLS if self._session.notifying else 1
        until = time.monotonic() + patience * self._world.settings.poll_seconds
        until = min(until, self._session.renew_at)
        while True:
            if self._carry_is_due():
                with _counted("pulling"):
                    await self._carry()
            if self._wake.wants_look:
                return
            if self._lost_at is not None:
                until = min(until, self._lost_at + _GATHER_SECONDS)
            left = until - time.monotonic()
            if left <= 0:
                return
            left = min(left, max(0.0, self._carry_at - time.monotonic()))
            if self._inbox is None:
                await self._waited(left)
                return
            if self._selected != self._inbox.mailbox_id:
                # Opened anew, it may hold what came since we looked: of that no one tells us.
                with _counted("pulling"):
                    await self._bring_up_to_date(self._inbox, None)
            with _counted("idle"):
                woken = await self._news(left)
            news = self._session.take_news()
            if woken is not Woken.NEWS:
                continue
            if all(isinstance(one, Elsewhere) for one in news):
                # A server that moves a message out of INBOX tells of its new place first.
                with _counted("idle"):
                    await self._session.idle(_MOVE_SECONDS, wake=self._wake)
                news += self._session.take_news()
            # A hint only: what is true is what a look at the mailbox finds.
            with _counted("pulling"):
                # What came elsewhere may have been moved there from INBOX: where it is missed
                # first, it is known again where it came.
                await self._bring_up_to_date(self._inbox, None)
                if any(isinstance(one, Flood) for one in news) or not await self._look_elsewhere(
                    {one.raw_name: one.status for one in news if isinstance(one, Elsewhere)}
                ):
                    return

    def _carry_is_due(self) -> bool:
        return self._wake.wants_carry or time.monotonic() >= self._carry_at

    async def _carry(self) -> None:
        """Carry out what people want done; where that needs a round, one is wanted."""
        if self._carries:
            return  # what carrying out looks at does not begin it anew
        self._carries = True
        try:
            self._wake.take_carry()
            carried = await self._carrier.carry(self._session, self._see)
            due = await self._carrier.due_in()
        finally:
            self._carries = False
        self._carry_at = math.inf if due is None else time.monotonic() + max(0.0, due)
        if carried.anything:
            self._selected = None
        if carried.round_wanted:
            self._wake.set()

    async def _see(self, mailbox: Mailbox) -> None:
        await self._bring_up_to_date(mailbox, None)

    async def _news(self, seconds: float) -> Woken:
        """Wait for news of INBOX.

        Servers gather what happened before they tell it in IDLE (Dovecot for half a second). Where
        somebody is watching, and the server is so near that asking costs nothing, we ask.
        """
        settings = self._world.settings
        near = 0.0 < self._session.round_trip < _NEAR_SECONDS and settings.near_poll_seconds > 0
        if not near or not self._world.followed.is_followed(
            self._lease.account_id, time.monotonic()
        ):
            return await self._session.idle(min(seconds, self._idle_seconds), wake=self._wake)
        await self._waited(min(seconds, settings.near_poll_seconds))
        if self._wake.is_set():
            return Woken.CALLED
        await self._session.noop()
        return Woken.NEWS if self._session.has_news else Woken.TIMEOUT

    async def _look_elsewhere(self, told: Mapping[bytes, StatusOf | None]) -> bool:
        """Look at the mailboxes the server named; False when a whole round is wanted."""
        if not told:
            return True
        async with self._world.pool.acquire() as connection:
            known = {
                one.raw_name: one
                for one in await mailboxes.mailboxes(connection, self._lease.account_id)
            }
        if any(counters is None or name not in known for name, counters in told.items()):
            return False
        for mailbox in sorted(
            (known[name] for name in told if known[name].selectable),
            key=lambda one: not _shrank(one, told[one.raw_name]),
        ):
            try:
                await self._bring_up_to_date(mailbox, None)
            except Unavailable:
                raise
            except Refused:
                return False  # the round says what is wrong
        return True

    async def _waited(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    # -- a round -------------------------------------------------------------------------------

    async def _round(self) -> None:
        """Look at every mailbox that may have changed."""
        async with self._world.pool.acquire() as connection:
            began = await mailboxes.moment(connection)
        self._lost_at = None
        self._selected = None  # the survey may open mailboxes
        # Dovecot counts the open mailbox as this session has seen it: let it see what came.
        await self._session.noop()
        # Where names change while a session of Dovecot 2.3 is to be notified, its LIST goes blind.
        await self._session.unnotify()
        surveyed = await refresh_mailboxes(
            self._lease,
            self._session,
            self._world.pool,
            sought=timedelta(seconds=_LISTS * self._world.settings.poll_seconds),
        )
        await self._session.notify()
        self._surveyed = surveyed.counters
        self._world.relay.wake()
        order = [one for one in reading_order(surveyed.mailboxes) if one.selectable]
        self._inbox = next((one for one in order if one.role is MailboxRole.INBOX), None) or next(
            (one for one in order if one.role is MailboxRole.ALL), None
        )
        async with self._world.pool.acquire() as connection:
            to_prove = await audits.due(
                connection, self._lease.account_id, self._world.settings.audit_seconds
            )
        self._may = await self._may_fill()
        due = [one for one in order if self._due(one, surveyed, to_prove)]
        # Who is missed somewhere is known again where they came to: that place comes last.
        due.sort(key=lambda one: not _shrank(one, surveyed.counters.get(one.raw_name)))
        if all(one.copied for one in order):
            trouble = await self._look_at_all(due, surveyed, to_prove)
        else:
            await self._note(Doing(state=AccountState.SYNCING))
            async with self._world.first_copies:
                await self._progress.begin(order, surveyed.counters)
                trouble = await self._look_at_all(due, surveyed, to_prove)
            await self._progress.end()
            if not self._rests:
                self._wake.set()  # what is whole now can be proven
        # Where a mailbox could not be read, a lost message may be in it: wait longer.
        patience = PATIENCE if trouble else timedelta()
        if await settle_lost(self._lease, began, patience, self._world.pool):
            self._world.relay.wake()
        self._outdated = 0
        await self._note(self._doing(trouble))

    def _due(self, mailbox: Mailbox, surveyed: Surveyed, to_prove: list[UUID]) -> bool:
        """Whether a mailbox must be looked at now."""
        counters = surveyed.counters.get(mailbox.raw_name)
        status = status_line(counters)
        if self._rests.get(mailbox.mailbox_id, "") == status and not self._may:
            return False
        if not mailbox.copied or status is None or status != mailbox.status:
            return True
        if mailbox.mailbox_id in to_prove:
            return True
        if counters is not None and counters.highestmodseq is not None:
            return False
        # Flags may change without any counter: such a server is compared from time to time.
        pause = timedelta(seconds=self._world.settings.compare_seconds)
        return mailbox.compared_at is None or datetime.now(UTC) - mailbox.compared_at > pause

    async def _look_at_all(
        self, due: list[Mailbox], surveyed: Surveyed, to_prove: list[UUID]
    ) -> str | None:
        """Look at these in turn; the words of a server that refused one of them."""
        trouble: str | None = None
        for mailbox in due:
            if self._carry_is_due():
                await self._carry()
            began = time.monotonic()
            try:
                await self._bring_up_to_date(
                    mailbox,
                    status_line(surveyed.counters.get(mailbox.raw_name)),
                    prove=mailbox.mailbox_id in to_prove,
                )
            except Unavailable:
                raise
            except Refused as refused:
                # One mailbox that cannot be read does not keep the others from being read.
                trouble = f"{mailbox.path}: {refused.text}"
                PULL_SECONDS.labels("refused").observe(time.monotonic() - began)
                async with self._world.pool.acquire() as connection:
                    await mailboxes.put_trouble(connection, mailbox.mailbox_id, refused.text)
                continue
            except ImapError:
                PULL_SECONDS.labels("unreachable").observe(time.monotonic() - began)
                raise
            PULL_SECONDS.labels("ok").observe(time.monotonic() - began)
        return trouble

    async def _bring_up_to_date(
        self, mailbox: Mailbox, status: str | None, *, prove: bool = False
    ) -> None:
        """Look, fetch what is owed, and look again until nothing is."""
        self._glanced = time.monotonic()
        while True:
            looked = await self._look(mailbox, thorough=prove)
            if looked.owed and not await self._copier.copy(
                looked,
                self._session,
                self._second,
                self._may_fill,
                functools.partial(self._came, looked.mailbox),
            ):
                self._rests[mailbox.mailbox_id] = status
                return
            self._rests.pop(mailbox.mailbox_id, None)
            await note_copied(
                self._lease, looked.mailbox, looked.top, status, looked.began, self._world.pool
            )
            self._world.relay.wake()
            if not looked.owed or looked.mailbox.copied:
                break
            status = None  # more may have come during a long first copy
        if prove:
            await prove_mailbox(
                self._lease,
                mailbox.mailbox_id,
                looked.exists,
                self._world.pool,
                self._world.bus,
            )
            self._world.relay.wake()

    async def _may_fill(self) -> bool:
        return await self._meter.filling_rests_until() is None

    async def _look(self, mailbox: Mailbox, *, thorough: bool) -> Looked:
        self._selected = None
        counters = self._surveyed.get(mailbox.raw_name)
        # A server that never says the same twice is believed in the end.
        looked = await look_at_mailbox(
            self._lease,
            mailbox.mailbox_id,
            self._session,
            self._world.pool,
            thorough=thorough,
            surveyed=None
            if counters is None or self._outdated >= _OUTDATED
            else counters.uidvalidity,
        )
        self._selected = mailbox.mailbox_id
        if looked.lost:
            self._lost_at = time.monotonic()
        self._world.relay.wake()
        return looked

    async def _came(self, mailbox: Mailbox, pulled: Pulled, free: Session | None) -> None:
        """After each batch: say how far we are, and glance at INBOX when that was long ago."""
        self._meter.count(bytes=pulled.bytes, commands=pulled.commands)
        await self._meter.write()
        await self._progress.came(pulled.messages, mailbox.path)
        if free is not None and self._carry_is_due() and not self._carries:
            await self._carry()
            await self._select(free, mailbox)
        inbox = self._inbox
        if free is None or inbox is None or inbox.mailbox_id == mailbox.mailbox_id:
            return
        if time.monotonic() - self._glanced > _INBOX_SECONDS:
            # New mail, in the middle of a long first copy of another mailbox.
            await self._bring_up_to_date(inbox, None)
            await self._select(free, mailbox)
            self._glanced = time.monotonic()

    async def _select(self, session: Session, mailbox: Mailbox) -> None:
        if self._selected == mailbox.mailbox_id and session.selected is not None:
            return
        self._selected = None
        selected = await session.select(mailbox.raw_name, readonly=True)
        if mailbox.uidvalidity is not None and selected.uidvalidity != mailbox.uidvalidity:
            raise Disconnected("The mailbox was renumbered while it was read.")
        self._selected = mailbox.mailbox_id

    def _doing(self, trouble: str | None) -> Doing:
        if trouble is not None:
            return Doing(
                state=AccountState.DEGRADED,
                reason=Reason.MAILBOX_UNREADABLE,
                server_said=trouble,
            )
        if self._rests:
            return Doing(state=AccountState.DEGRADED, reason=Reason.BUDGET_SPENT)
        return Doing(state=AccountState.LIVE)

    # -- telling -------------------------------------------------------------------------------

    async def _note(self, doing: Doing) -> None:
        if await note_doing(self._lease, doing, self._world.pool):
            self._world.relay.wake()


def _shrank(mailbox: Mailbox, counters: StatusOf | None) -> bool:
    """Whether a mailbox has fewer messages than when we looked last."""
    return (
        mailbox.copied
        and counters is not None
        and counters.messages is not None
        and counters.messages < mailbox.server_count
    )


@contextmanager
def _counted(state: str) -> Generator[None]:
    CONNECTIONS.labels(state).inc()
    try:
        yield
    finally:
        CONNECTIONS.labels(state).dec()

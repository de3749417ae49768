"""One account, from signing in to the day it is removed.

    connecting ──signed in──> syncing ──every mailbox read──> live ──┐
        ^                        ^                              │    │ IDLE wakes, or a poll
        │                        └──────── a round owes ────────┘<───┘
        └── auth_failed (waits for a new password, looks again hourly)
        └── unreachable (tried again, later each time)

A round looks at every mailbox whose counters changed, newest messages first, INBOX first; each
wake and each reconnect runs the same round, so that a missed hint costs time and nothing else.
Everything written goes through the lease: whoever lost it fails at its next write.
"""

import asyncio
import random
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from services.sync.actions.look_at_mailbox import Looked, look_at_mailbox, status_line
from services.sync.actions.note_doing import note_doing
from services.sync.actions.note_progress import note_progress
from services.sync.actions.pull_window import pull_window
from services.sync.actions.refresh_mailboxes import refresh_mailboxes
from services.sync.actions.settle_lost import settle_lost
from services.sync.actions.sign_in import sign_in
from services.sync.domain.mailbox_order import reading_order
from services.sync.domain.window import Window, windows
from services.sync.imap.errors import Disconnected, ImapError, Refused, Unavailable
from services.sync.imap.idle import Woken
from services.sync.imap.names import MailboxName
from services.sync.imap.session import Session
from services.sync.imap.status import StatusOf
from services.sync.metrics import CONNECTIONS, PULL_SECONDS
from services.sync.store import accounts, mailboxes
from services.sync.store.accounts import Account, Doing
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.workers.trouble import Trouble, trouble_of
from services.sync.world import World
from shared.contracts.account import AccountState
from shared.contracts.mail import MailboxRole
from shared.seal import SealError

log = structlog.get_logger()

_FIRST_WINDOW = 50
_WINDOW = 100
_INBOX_SECONDS = 10.0  # during a first copy, new mail waits no longer than this
_PROGRESS_SECONDS = 1.0
_PATIENCE = timedelta(minutes=2)


class Keeper:
    """Keeps one account for as long as its lease holds."""

    def __init__(self, lease: Lease, world: World, first_copies: asyncio.Semaphore) -> None:
        self.lease = lease
        self.wake = asyncio.Event()
        self._world = world
        self._first_copies = first_copies
        self._failures = 0
        self._progress_told = 0.0
        self._selected: UUID | None = None
        self._lost = False

    async def run(self) -> None:
        """Until cancelled, or until the account is gone; raises LeaseLost."""
        while True:
            async with self._world.pool.acquire() as connection:
                account = await accounts.account(connection, self.lease.account_id)
            if account is None:
                return
            try:
                async with sign_in(
                    account, self._world.settings, self._world.keys, self._world.pool
                ) as session:
                    await self._keep(session)
            except (ImapError, SealError) as error:
                await self._rest(account, error)

    async def _rest(self, account: Account, error: ImapError | SealError) -> None:
        """Say what is wrong, then wait before the next attempt."""
        settings = self._world.settings
        self._failures += 1
        trouble = trouble_of(error)
        if isinstance(error, Disconnected) and self._failures == 1:
            # Servers end quiet sessions; that is nothing to tell anybody.
            pause = random.uniform(0.0, 1.0)  # noqa: S311 - spreads load, guards nothing
        elif trouble.state is AccountState.AUTH_FAILED:
            pause = settings.auth_retry_seconds * random.uniform(0.9, 1.1)  # noqa: S311
            await self._tell(trouble)
        else:
            longest = min(
                settings.retry_seconds * 2 ** min(self._failures - 1, 20),
                settings.retry_longest_seconds,
            )
            pause = longest * random.uniform(0.5, 1.0)  # noqa: S311
            await self._tell(trouble)
        log.info(
            "account rests",
            account_id=str(account.account_id),
            state=trouble.state.value,
            reason=trouble.reason,
            error=type(error).__name__,
            seconds=round(pause, 1),
        )
        await self._waited(pause)

    async def _tell(self, trouble: Trouble) -> None:
        await self._note(
            Doing(state=trouble.state, reason=trouble.reason, server_said=trouble.server_said)
        )

    async def _note(self, doing: Doing) -> None:
        if await note_doing(self.lease, doing, self._world.pool):
            self._world.relay.wake()

    async def _waited(self, seconds: float) -> None:
        self.wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return

    # -- one session -------------------------------------------------------------------------

    async def _keep(self, session: Session) -> None:
        self._selected = None
        await session.id({"name": "Postbus", "vendor": "Postbus"})
        while True:
            self.wake.clear()
            with _counted("pulling"):
                inbox = await self._round(session)
            self._failures = 0
            if not self._lost:
                await self._idle(session, inbox)

    async def _idle(self, session: Session, inbox: Mailbox | None) -> None:
        """Follow INBOX by IDLE until the next round is due."""
        until = time.monotonic() + self._world.settings.poll_seconds
        while inbox is not None and not self._lost and not self.wake.is_set():
            left = until - time.monotonic()
            if left <= 0:
                return
            with _counted("idle"):
                await self._select(session, inbox)
                woken = await session.idle(left, wake=self.wake)
            session.take_news()
            if woken is not Woken.NEWS:
                return
            # A hint only: what is true is what a look at the mailbox finds.
            with _counted("pulling"):
                await self._bring_up_to_date(session, inbox, None, None)
        if inbox is None:
            await self._waited(self._world.settings.poll_seconds)

    async def _round(self, session: Session) -> Mailbox | None:
        """Look at every mailbox that may have changed; return INBOX."""
        began = datetime.now(UTC)
        self._lost = False
        known = await refresh_mailboxes(self.lease, session, self._world.pool)
        self._world.relay.wake()
        order = [one for one in reading_order(known) if one.selectable]
        inbox = next((one for one in order if one.role is MailboxRole.INBOX), None)
        statuses = await session.status([one.raw_name for one in order])
        first_copy = not all(one.copied for one in order)
        if first_copy:
            await self._note(Doing(state=AccountState.SYNCING))
            async with self._first_copies:
                trouble = await self._look_at_all(session, order, statuses, inbox)
            await self._progress(None, now=True)
        else:
            trouble = await self._look_at_all(session, order, statuses, inbox)
        # Where a mailbox could not be read, a lost message may be in it: wait longer.
        patience = _PATIENCE if trouble else timedelta()
        if await settle_lost(self.lease, began - patience, self._world.pool):
            self._world.relay.wake()
        await self._note(
            Doing(state=AccountState.DEGRADED, reason="mailbox_unreadable", server_said=trouble)
            if trouble
            else Doing(state=AccountState.LIVE)
        )
        return inbox

    async def _look_at_all(
        self,
        session: Session,
        order: list[Mailbox],
        statuses: Mapping[MailboxName, StatusOf],
        inbox: Mailbox | None,
    ) -> str | None:
        """Look at these in turn; the words of a server that refused one of them."""
        trouble: str | None = None
        for mailbox in order:
            counters = statuses.get(mailbox.raw_name)
            if not self._due(mailbox, counters):
                continue
            began = time.monotonic()
            try:
                await self._bring_up_to_date(session, mailbox, counters, inbox)
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

    def _due(self, mailbox: Mailbox, counters: StatusOf | None) -> bool:
        """Whether a mailbox must be looked at now."""
        status = status_line(counters)
        if not mailbox.copied or status is None or status != mailbox.status:
            return True
        if counters is not None and counters.highestmodseq is not None:
            return False
        # Flags may change without any counter: such a server is compared from time to time.
        pause = timedelta(seconds=self._world.settings.compare_seconds)
        return mailbox.compared_at is None or datetime.now(UTC) - mailbox.compared_at > pause

    async def _bring_up_to_date(
        self,
        session: Session,
        mailbox: Mailbox,
        counters: StatusOf | None,
        inbox: Mailbox | None,
    ) -> None:
        """Look, fetch what is owed, and look again until nothing is."""
        glanced = time.monotonic()
        while True:
            looked = await self._look(session, mailbox, counters)
            if not looked.owed:
                return
            for window in windows(looked.owed, looked.top, _FIRST_WINDOW, _WINDOW):
                await self._pull(session, looked.mailbox, window)
                if inbox is None or inbox.mailbox_id == mailbox.mailbox_id:
                    continue
                if time.monotonic() - glanced > _INBOX_SECONDS:
                    # New mail, in the middle of a long first copy of another mailbox.
                    glance = await self._look(session, inbox, None)
                    for news in windows(glance.owed, glance.top, _WINDOW, _WINDOW)[:1]:
                        await self._pull(session, glance.mailbox, news)
                    glanced = time.monotonic()

    async def _look(self, session: Session, mailbox: Mailbox, counters: StatusOf | None) -> Looked:
        self._selected = None
        looked = await look_at_mailbox(
            self.lease, mailbox.mailbox_id, status_line(counters), session, self._world.pool
        )
        self._selected = mailbox.mailbox_id
        self._lost = self._lost or looked.lost
        self._world.relay.wake()
        return looked

    async def _pull(self, session: Session, mailbox: Mailbox, window: Window) -> None:
        await self._select(session, mailbox)
        await pull_window(
            self.lease,
            mailbox,
            window,
            session,
            self._world.pool,
            largest_bytes=self._world.settings.largest_message_bytes,
        )
        self._world.relay.wake()
        if not mailbox.copied:
            await self._progress(mailbox.path)

    async def _select(self, session: Session, mailbox: Mailbox) -> None:
        if self._selected == mailbox.mailbox_id:
            return
        self._selected = None
        selected = await session.select(mailbox.raw_name, readonly=True)
        if mailbox.uidvalidity is not None and selected.uidvalidity != mailbox.uidvalidity:
            raise Disconnected("The mailbox was renumbered while it was read.")
        self._selected = mailbox.mailbox_id

    async def _progress(self, mailbox: str | None, *, now: bool = False) -> None:
        if now or time.monotonic() - self._progress_told > _PROGRESS_SECONDS:
            self._progress_told = time.monotonic()
            await note_progress(self.lease, mailbox, self._world.pool)
            self._world.relay.wake()


@contextmanager
def _counted(state: str) -> Generator[None]:
    CONNECTIONS.labels(state).inc()
    try:
        yield
    finally:
        CONNECTIONS.labels(state).dec()

"""How far the first copy of an account is, told now and then; who gives way to it is nudged."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from services.sync.actions.note_progress import note_progress
from services.sync.domain.pace import Pace
from services.sync.imap.names import MailboxName
from services.sync.imap.status import StatusOf
from services.sync.store import mailboxes
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.world import World
from shared.contracts.hints import CopyProgressed

_SECONDS = 1.0  # between two tellings


class Progress:
    """Of one account; between a beginning and an end it is told."""

    def __init__(self, lease: Lease, world: World) -> None:
        self._lease = lease
        self._world = world
        self._pace: Pace | None = None
        self._told_at = 0.0

    async def begin(
        self, order: Sequence[Mailbox], counters: Mapping[MailboxName, StatusOf]
    ) -> None:
        """So much has to be brought, and so much of it is here."""
        counts = [counters.get(one.raw_name) for one in order]
        total = sum(one.messages or 0 for one in counts if one is not None)
        async with self._world.pool.acquire() as connection:
            done = await mailboxes.kept(connection, self._lease.account_id)
        self._pace = Pace(done=done, total=total, began=time.monotonic())
        await self._nudge(self._pace)

    async def came(self, messages: int, mailbox: str) -> None:
        """So many more are here."""
        if self._pace is None:
            return
        self._pace.came(messages, time.monotonic())
        await self._nudge(self._pace)
        if time.monotonic() - self._told_at > _SECONDS:
            await self._tell(self._pace, mailbox)

    async def end(self) -> None:
        """All that can be brought is here."""
        if self._pace is not None:
            await self._tell(self._pace, None)
            await self._world.bus.hint(CopyProgressed(account_id=self._lease.account_id, to_come=0))
        self._pace = None

    async def _nudge(self, pace: Pace) -> None:
        # Never 0 before the end: what is left out of a count may still be on its way.
        await self._world.bus.hint(
            CopyProgressed(
                account_id=self._lease.account_id,
                to_come=max(1, pace.total - pace.done),
                seconds_left=pace.seconds_left(time.monotonic()),
            )
        )

    async def _tell(self, pace: Pace, mailbox: str | None) -> None:
        self._told_at = time.monotonic()
        left = pace.seconds_left(self._told_at)
        await note_progress(
            self._lease,
            pace.done,
            max(pace.total, pace.done),
            mailbox,
            None if left is None else datetime.now(UTC) + timedelta(seconds=left),
            self._world.pool,
        )
        self._world.relay.wake()

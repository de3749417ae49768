"""Messages on their way into our copy: read in a process beside, and kept, some hundred at a time.

While one chunk is read another is kept and a third one gathered; more are not held. A chunk is kept
in a transaction of its own, after the one before it, and so stays kept whatever becomes of the
batch.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from services.sync.actions.keeping import Seen, keep
from services.sync.actions.understanding import Readers
from services.sync.domain.covered import Covered
from services.sync.domain.understand import Raw, Understood, Unreadable
from services.sync.metrics import LAG_SECONDS, MESSAGE_BYTES, MESSAGES, QUARANTINED
from services.sync.store import leases, mailboxes, quarantine
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.messages import NewMessage
from services.sync.store.quarantine import Case
from shared.contracts.mail import Arrival
from shared.db import Connection, Pool, in_transaction
from shared.telemetry import end

_CHUNK_MESSAGES = 200
_CHUNK_BYTES = 4 * 1024 * 1024
_CHUNKS_AHEAD = 2


class Chunks:
    """What was fetched of one mailbox and is not kept yet."""

    def __init__(
        self, lease: Lease, mailbox: Mailbox, readers: Readers, pool: Pool, release: str
    ) -> None:
        self._lease = lease
        self._mailbox = mailbox
        self._readers = readers
        self._pool = pool
        self._release = release
        self._under_way: list[asyncio.Task[None]] = []
        self._chunk: list[Raw] = []
        self._chunk_bytes = 0
        self._seen: dict[int, Seen] = {}
        self.messages = 0  # kept
        self.bytes = 0  # taken

    async def take(self, seen: Seen, raw: Raw) -> None:
        """A message as it came; waits when too many are on their way."""
        self._seen[seen.uid] = seen
        self._chunk.append(raw)
        self._chunk_bytes += len(raw.raw)
        self.bytes += len(raw.raw)
        if len(self._chunk) >= _CHUNK_MESSAGES or self._chunk_bytes >= _CHUNK_BYTES:
            await self._hand_on()

    async def finish(self) -> None:
        """All that was taken is kept, or put aside."""
        await self._hand_on()
        while self._under_way:
            await self._under_way.pop(0)

    async def give_up(self) -> None:
        """Leave nothing running; what was kept stays kept."""
        await end(self._under_way)

    async def _hand_on(self) -> None:
        if self._chunk:
            chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
            before = self._under_way[-1] if self._under_way else None
            self._under_way.append(asyncio.create_task(self._read_and_keep(chunk, before)))
        while len(self._under_way) > _CHUNKS_AHEAD:
            await self._under_way.pop(0)

    async def _read_and_keep(self, chunk: list[Raw], before: "asyncio.Task[None] | None") -> None:
        read = await self._readers.read(chunk)
        chunk.clear()
        if before is not None:
            await before
        understood = [one for one in read if isinstance(one, Understood)]
        unreadable = [
            Case(uid=one.uid, reason="unreadable", detail=one.reason)
            for one in read
            if isinstance(one, Unreadable)
        ]

        async def work(connection: Connection) -> list[NewMessage]:
            await leases.hold(connection, self._lease)
            new = await keep(connection, self._lease, self._mailbox, self._seen, understood)
            await put_cases(connection, self._lease, self._mailbox, unreadable, self._release)
            await mailboxes.cover(
                connection, self._mailbox.mailbox_id, Covered.of_uids(one.uid for one in read)
            )
            return new

        new = await in_transaction(self._pool, work)
        self.messages += len(understood)
        QUARANTINED.inc(len(unreadable))
        _measure(new)


async def put_cases(
    connection: Connection, lease: Lease, mailbox: Mailbox, cases: Sequence[Case], release: str
) -> None:
    """Quarantine these; the caller holds the lease."""
    if cases:
        await quarantine.put(
            connection, lease.tenant_id, lease.account_id, mailbox.mailbox_id, cases, release
        )


def _measure(new: Sequence[NewMessage]) -> None:
    now = datetime.now(UTC)
    MESSAGES.inc(len(new))
    for one in new:
        MESSAGE_BYTES.observe(one.size_bytes)
        if one.arrival is Arrival.NEW:
            LAG_SECONDS.observe(max(0.0, (now - one.received_at).total_seconds()))

"""How far a first copy is."""

from datetime import datetime

from services.sync.store import accounts, leases
from services.sync.store.leases import Lease
from shared.bus import tell
from shared.contracts.account import AccountProgressed
from shared.db import Connection, Pool, in_transaction


async def note_progress(
    lease: Lease, done: int, total: int, mailbox: str | None, ends_at: datetime | None, pool: Pool
) -> None:
    """Tell how many messages are here and how many there are, and when the rest will be."""

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        await tell(
            connection,
            AccountProgressed(
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                revision=await accounts.next_revision(connection, lease.account_id),
                done=done,
                total=total,
                mailbox=mailbox,
                ends_at=ends_at,
            ),
        )

    await in_transaction(pool, work)

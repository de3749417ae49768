"""How far a first copy is."""

from services.sync.store import accounts, leases, mailboxes
from services.sync.store.leases import Lease
from shared.bus import tell
from shared.contracts.account import AccountProgressed
from shared.db import Connection, Pool, in_transaction


async def note_progress(lease: Lease, mailbox: str | None, pool: Pool) -> tuple[int, int]:
    """Tell how many messages are here and how many there are; return both."""

    async def work(connection: Connection) -> tuple[int, int]:
        await leases.hold(connection, lease)
        revision = await accounts.next_revision(connection, lease.account_id)
        done, total = await mailboxes.progress(connection, lease.account_id)
        await tell(
            connection,
            AccountProgressed(
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                revision=revision,
                done=done,
                total=total,
                mailbox=mailbox,
            ),
        )
        return done, total

    return await in_transaction(pool, work)

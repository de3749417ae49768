"""How an account is doing, told when it differs from what was told before."""

from services.sync.actions.telling_doing import tell_doing
from services.sync.store import accounts, leases, standing
from services.sync.store.accounts import Doing
from services.sync.store.leases import Lease
from shared.db import Connection, Pool, in_transaction


async def note_doing(lease: Lease, doing: Doing, pool: Pool) -> bool:
    """Remember and tell it; False when nothing changed, or the account is paused, which wins."""

    async def work(connection: Connection) -> bool:
        await leases.hold(connection, lease)
        if await accounts.doing(connection, lease.account_id) == doing:
            return False
        revision = await accounts.next_revision(connection, lease.account_id)
        # After the clock, which whoever pauses holds to the end: what is read now stays so.
        if await standing.is_paused(connection, lease.account_id):
            return False
        await tell_doing(connection, lease.account_id, lease.tenant_id, doing, revision)
        return True

    return await in_transaction(pool, work)

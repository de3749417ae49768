"""An account is to be forgotten; its server stays as it is."""

from services.sync.store import accounts
from shared.bus import tell
from shared.contracts.account import AccountRemoved, RemoveSync
from shared.db import Connection, Pool, in_transaction


async def remove_account(command: RemoveSync, pool: Pool) -> None:
    """Leave the tombstone and tell it; the rows go in the background."""

    async def work(connection: Connection) -> None:
        revision = await accounts.revision(connection, command.account_id)
        if not await accounts.remove(connection, command.account_id, command.tenant_id):
            return
        await tell(
            connection,
            AccountRemoved(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                revision=(revision or 0) + 1,
            ),
        )

    await in_transaction(pool, work)

"""An account is to be forgotten; its server stays as it is."""

from services.sync.store import accounts, grants
from shared.bus import tell
from shared.contracts.account import AccountRemoved, RemoveSync
from shared.db import Connection, Pool, in_transaction

#: So long a provider that is away is asked to end a consent.
_REVOKE_DAYS = 1


async def remove_account(command: RemoveSync, pool: Pool) -> None:
    """Leave the tombstone and tell it; rows go, and the consent ends, in the background."""

    async def work(connection: Connection) -> None:
        revision = await accounts.revision(connection, command.account_id)
        if not await accounts.remove(connection, command.account_id, command.tenant_id):
            return
        await grants.give_back(connection, command.account_id, within_days=_REVOKE_DAYS)
        await tell(
            connection,
            AccountRemoved(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                revision=(revision or 0) + 1,
            ),
        )

    await in_transaction(pool, work)

"""An account's owner wants its server left alone."""

from services.sync.domain.reason import Reason
from services.sync.store import accounts, standing
from services.sync.store.accounts import Doing
from shared.bus import Retry, tell
from shared.contracts.account import AccountChanged, AccountState
from shared.contracts.standing import PauseSync
from shared.db import Connection, Pool, in_transaction

PAUSED = Doing(state=AccountState.PAUSED, reason=Reason.PAUSED_BY_OWNER)


async def pause_account(command: PauseSync, pool: Pool) -> bool:
    """Remember it, across restarts, and tell it; False when a newer word came before.

    Raises Retry for an account whose connection has not been heard of yet.
    """

    async def work(connection: Connection) -> bool:
        account = (command.account_id, command.tenant_id)
        if not await standing.pause(connection, *account, command.version):
            if not await standing.is_known(connection, *account):
                raise Retry(f"account {command.account_id} is not connected yet")
            return False
        if await accounts.doing(connection, command.account_id) == PAUSED:
            return True
        revision = await accounts.next_revision(connection, command.account_id)
        await accounts.put_doing(connection, *account, PAUSED, revision)
        await tell(
            connection,
            AccountChanged(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                revision=revision,
                state=PAUSED.state,
                reason=PAUSED.reason,
            ),
        )
        return True

    return await in_transaction(pool, work)

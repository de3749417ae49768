"""A paused account goes on."""

from services.sync.store import accounts, standing
from services.sync.store.accounts import Doing
from shared.bus import Retry, tell
from shared.contracts.account import AccountChanged, AccountState
from shared.contracts.standing import ResumeSync
from shared.db import Connection, Pool, in_transaction


async def resume_account(command: ResumeSync, pool: Pool) -> bool:
    """Go on from where the copy is; False when a newer word came before.

    Raises Retry for an account whose connection has not been heard of yet.
    """

    async def work(connection: Connection) -> bool:
        account = (command.account_id, command.tenant_id)
        if not await standing.resume(connection, *account, command.version):
            if not await standing.is_known(connection, *account):
                raise Retry(f"account {command.account_id} is not connected yet")
            return False
        was = await accounts.doing(connection, command.account_id)
        if was is not None and was.state is not AccountState.PAUSED:
            return True
        revision = await accounts.next_revision(connection, command.account_id)
        doing = Doing(state=AccountState.CONNECTING)
        await accounts.put_doing(connection, *account, doing, revision)
        await tell(
            connection,
            AccountChanged(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                revision=revision,
                state=doing.state,
            ),
        )
        return True

    return await in_transaction(pool, work)

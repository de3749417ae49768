"""An account is to be kept, or kept under other settings."""

from services.sync.actions.telling_doing import tell_doing
from services.sync.domain.reason import Reason
from services.sync.store import accounts, grants, standing
from services.sync.store.accounts import Doing
from shared.contracts.account import AccountState, ConnectSync
from shared.db import Connection, Pool, in_transaction
from shared.seal import key_id_of


async def connect_account(command: ConnectSync, pool: Pool) -> bool:
    """Take the settings over; False when newer ones, or a removal, were there before."""
    key_id = None if command.grant_id is not None else key_id_of(command.sealed)

    async def work(connection: Connection) -> bool:
        if not await accounts.connect(connection, command, key_id):
            return False
        await grants.adopt(connection, command.account_id, command.grant_id)
        revision = await accounts.next_revision(connection, command.account_id)
        doing = Doing(state=AccountState.CONNECTING)
        if await standing.is_paused(connection, command.account_id):
            doing = Doing(state=AccountState.PAUSED, reason=Reason.PAUSED_BY_OWNER)
        await tell_doing(connection, command.account_id, command.tenant_id, doing, revision)
        return True

    return await in_transaction(pool, work)

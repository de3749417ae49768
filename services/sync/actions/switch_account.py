"""An account's owner wants its server left alone, or wants to go on."""

from services.sync.actions.telling_doing import tell_doing
from services.sync.domain.reason import Reason
from services.sync.store import accounts, standing
from services.sync.store.accounts import Doing
from shared.bus import Retry
from shared.contracts.account import AccountState
from shared.contracts.standing import PauseSync, ResumeSync
from shared.db import Connection, Pool, in_transaction

_PAUSED = Doing(state=AccountState.PAUSED, reason=Reason.PAUSED_BY_OWNER)
_GOES_ON = Doing(state=AccountState.CONNECTING)


async def switch_account(command: PauseSync | ResumeSync, pool: Pool) -> bool:
    """Remember it, across restarts, and tell it; False when a newer word came before.

    Raises Retry for an account whose connection has not been heard of yet.
    """

    async def work(connection: Connection) -> bool:
        account = (command.account_id, command.tenant_id)
        match command:
            case PauseSync():
                switch, doing = standing.pause, _PAUSED
            case ResumeSync():
                switch, doing = standing.resume, _GOES_ON
        if not await switch(connection, *account, command.version):
            if not await standing.is_known(connection, *account):
                raise Retry(f"account {command.account_id} is not connected yet")
            return False
        was = await accounts.doing(connection, command.account_id)
        if was is not None and (was.state is AccountState.PAUSED) is (doing is _PAUSED):
            return True
        revision = await accounts.next_revision(connection, command.account_id)
        await tell_doing(connection, *account, doing, revision)
        return True

    return await in_transaction(pool, work)

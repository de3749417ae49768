"""Somebody knows an account's servers better than we do."""

from services.sync.store import servers, standing
from shared.bus import Retry
from shared.contracts.standing import SetSyncProfile
from shared.db import Connection, Pool, in_transaction


async def set_profile(command: SetSyncProfile, pool: Pool) -> bool:
    """Go by what was said; False when a newer word came before.

    Raises Retry for an account whose connection has not been heard of yet.
    """

    async def work(connection: Connection) -> bool:
        account = (command.account_id, command.tenant_id)
        if await servers.say(connection, *account, command.version, command.own):
            return True
        if not await standing.is_known(connection, *account):
            raise Retry(f"account {command.account_id} is not connected yet")
        return False

    return await in_transaction(pool, work)

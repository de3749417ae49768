"""An account gives us its submission server, or a new password."""

from services.sender import store
from shared.contracts.account import ConnectSender
from shared.db import Connection, Pool, in_transaction


async def connect_account(command: ConnectSender, pool: Pool) -> None:
    """Send for this account with these settings, unless ours are as new or it was removed.

    What was put off because the account could not be used is tried again at once.
    """

    async def work(connection: Connection) -> None:
        if await store.put_account(connection, command):
            await store.hasten(connection, command.tenant_id, command.account_id)

    await in_transaction(pool, work)

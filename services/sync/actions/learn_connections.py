"""A server refused an account one more connection, while others are open."""

from services.sync.store import connections
from services.sync.store.accounts import Account
from services.sync.store.connections import Slot
from shared.db import Connection, Pool, in_transaction


async def learn_connections(account: Account, refused: Slot, pool: Pool) -> None:
    """Go on with those that are open, and give this one's slot back: no trouble, a lesson."""

    async def work(connection: Connection) -> None:
        await connections.learn(connection, refused, account.tenant_id, account.version)
        await connections.release_slot(connection, refused)

    await in_transaction(pool, work)

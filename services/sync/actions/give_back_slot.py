"""A connection to a mail server was closed."""

from services.sync.store import connections
from services.sync.store.connections import Slot
from shared.db import Pool


async def give_back_slot(slot: Slot, pool: Pool) -> None:
    """Another may be opened for the account."""
    async with pool.acquire() as connection:
        await connections.release_slot(connection, slot)

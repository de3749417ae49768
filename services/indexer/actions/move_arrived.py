"""Put the words of a first sync into the index, in bulk."""

from services.indexer.metrics import ARRIVING
from services.indexer.store.arriving import count_arriving, move_words
from shared.db import Connection, Pool, in_transaction


async def count_arrived(pool: Pool) -> int:
    """How many messages wait to be put into the index."""
    rows = await in_transaction(pool, count_arriving)
    ARRIVING.set(rows)
    return rows


async def move_arrived(pool: Pool, *, rows_at_once: int) -> int:
    """Move some of them; return how many. None is ever in both places, or in neither."""

    async def store(connection: Connection) -> int:
        return await move_words(connection, rows_at_once)

    return await in_transaction(pool, store)

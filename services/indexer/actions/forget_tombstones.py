"""Tombstones are kept until no late page can come any more."""

from datetime import datetime, timedelta

from services.indexer.store.retellings import purge
from shared.db import Connection, Pool, in_transaction

KEPT = timedelta(days=90)


async def forget_tombstones(pool: Pool, now: datetime, *, rows_at_once: int) -> bool:
    """Delete some that are old enough; return whether there may be more."""

    async def store(connection: Connection) -> int:
        return await purge(connection, now - KEPT, rows_at_once)

    return await in_transaction(pool, store) == rows_at_once

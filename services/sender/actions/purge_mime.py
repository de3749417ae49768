"""Bytes that nobody needs any more."""

from datetime import timedelta

from services.sender import store
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 100


async def purge_mime(pool: Pool, *, kept_for: timedelta, unfiled_kept_for: timedelta) -> int:
    """Drop the bytes of messages that ended well or for good some time ago; of how many."""

    async def work(connection: Connection) -> int:
        return await store.purge_mime(
            connection, kept_for=kept_for, unfiled_kept_for=unfiled_kept_for, limit=_AT_A_TIME
        )

    purged = 0
    while dropped := await in_transaction(pool, work):
        purged += dropped
    return purged

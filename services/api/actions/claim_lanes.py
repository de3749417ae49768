"""Take up what is to be delivered now."""

from datetime import datetime, timedelta

from services.api.store import lanes
from services.api.store.lanes import Lane
from shared.db import Connection, Pool, in_transaction


async def claim_lanes(
    pool: Pool, *, now: datetime, lease: timedelta, at_once: int, failing: int, of_each: int
) -> list[Lane]:
    """Lanes that are due, for as long as the lease; nobody else delivers them meanwhile."""

    async def work(connection: Connection) -> list[Lane]:
        return await lanes.claim(
            connection,
            now=now,
            lease=lease,
            at_once=at_once,
            failing_at_once=failing,
            of_each=of_each,
        )

    return await in_transaction(pool, work)


async def give_back_lane(pool: Pool, lane: Lane) -> None:
    """Let somebody else go on with it at once."""
    async with pool.acquire() as connection:
        await lanes.give_back(connection, lane)

"""The heart of a process of the `answer` role: its connections count as open while it beats."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from services.sync.store import connections, leases
from services.sync.world import World
from shared.db import is_away

log = structlog.get_logger()


@asynccontextmanager
async def living(world: World) -> AsyncGenerator[None]:
    """Be known to live while inside; at the end hang up everywhere, and give back every slot."""
    async with world.pool.acquire() as connection:
        await connections.beat_answering(connection, world.replica_id)
    try:
        yield
    finally:
        await world.bringing.close()
        try:
            async with world.pool.acquire() as connection:
                await connections.release_all(connection, world.replica_id)
                await leases.retire(connection, world.replica_id)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("ended without a word", error=str(error))  # the others will notice


async def beat(world: World) -> None:
    """Say now and then that we live."""
    while True:
        await asyncio.sleep(world.settings.heartbeat_seconds)
        try:
            async with world.pool.acquire() as connection:
                await connections.beat_answering(connection, world.replica_id)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("no heartbeat", error=str(error))

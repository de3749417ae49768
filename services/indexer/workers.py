"""What goes on behind the bus: rows that are to go, go in small steps."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import structlog

from services.indexer.actions.forget_tombstones import forget_tombstones
from services.indexer.actions.move_arrived import count_arrived, move_arrived
from services.indexer.actions.remove_accounts import sweep_removed
from services.indexer.settings import Settings
from services.indexer.world import World
from shared.db import is_away

log = structlog.get_logger()


async def keep_tidy(world: World, settings: Settings) -> None:
    """Sweep removed accounts, woken by each removal; forget tombstones that are old enough."""
    while True:
        world.removed.clear()
        try:
            while await sweep_removed(world.pool, rows_at_once=settings.sweep_rows):
                pass
            while await forget_tombstones(
                world.pool, datetime.now(UTC), rows_at_once=settings.sweep_rows
            ):
                pass
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            if not is_away(error):
                raise
            log.warning("database away", work="tidying", error=str(error))
        try:
            async with asyncio.timeout(settings.sweep_seconds):
                await world.removed.wait()
        except TimeoutError:
            continue


async def keep_in_order(world: World, settings: Settings) -> None:
    """Put the words of a first sync into the index when its flow pauses, or when many wait."""
    while True:
        world.arrivals.came.clear()
        rows = 0
        try:
            rows = await count_arrived(world.pool)
            resting = world.arrivals.paused_for() >= settings.arriving_pause_seconds
            if rows and (resting or rows >= settings.arriving_rows):
                if await move_arrived(world.pool, rows_at_once=settings.arriving_rows_at_once):
                    continue
                rows = 0  # another process does it
        except (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError) as error:
            log.warning("words wait longer", error=str(error))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            if not is_away(error):
                raise
            log.warning("database away", work="putting words in order", error=str(error))
        try:
            async with asyncio.timeout(
                settings.arriving_pause_seconds if rows else settings.sweep_seconds
            ):
                await world.arrivals.came.wait()
        except TimeoutError:
            continue

"""What goes on behind the bus: rows that are to go, go in small steps."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import structlog

from services.indexer.actions.forget_tombstones import forget_tombstones
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

"""What goes on behind the bus: rows that are to go, go in small steps."""

import asyncio
from datetime import UTC, datetime

from services.indexer.actions.forget_tombstones import forget_tombstones
from services.indexer.actions.move_arrived import count_arrived, move_arrived
from services.indexer.actions.read_words_again import read_words_again
from services.indexer.actions.remove_accounts import sweep_removed
from services.indexer.settings import Settings
from services.indexer.world import World
from shared.db import putting_off


async def keep_tidy(world: World, settings: Settings) -> None:
    """Sweep removed accounts, woken by each removal; forget tombstones that are old enough."""
    while True:
        world.removed.clear()
        with putting_off("tidying"):
            while await sweep_removed(world.pool, rows_at_once=settings.sweep_rows):
                pass
            while await forget_tombstones(
                world.pool, datetime.now(UTC), rows_at_once=settings.sweep_rows
            ):
                pass
        try:
            async with asyncio.timeout(settings.sweep_seconds):
                await world.removed.wait()
        except TimeoutError:
            continue


async def keep_current(world: World, settings: Settings) -> None:
    """Make words anew that older rules made, or that somebody asked to have made anew."""
    while True:
        with putting_off("reading words again"):
            # A first sync goes before: what nobody can find yet is wanted more.
            while (
                world.arrivals.paused_for() >= settings.arriving_pause_seconds
                and await read_words_again(world.pool, rows_at_once=settings.reread_rows)
            ):
                pass
        await asyncio.sleep(settings.reread_seconds)


async def keep_in_order(world: World, settings: Settings) -> None:
    """Put the words of a first sync into the index when its flow pauses, or when many wait."""
    while True:
        world.arrivals.came.clear()
        rows = 0
        with putting_off("putting words in order"):
            rows = await count_arrived(world.pool)
            resting = (
                world.arrivals.paused_for() >= settings.arriving_pause_seconds
                and not world.gives_way()
            )
            if rows and (resting or rows >= settings.arriving_rows):
                if await move_arrived(world.pool, rows_at_once=settings.arriving_rows_at_once):
                    continue
                rows = 0  # another process does it
        try:
            async with asyncio.timeout(
                settings.arriving_pause_seconds if rows else settings.sweep_seconds
            ):
                await world.arrivals.came.wait()
        except TimeoutError:
            continue

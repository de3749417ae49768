"""What the api does by itself: deleting what is to be deleted, forgetting what is old."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from services.api.actions.forget_account import forget_account
from services.api.actions.forget_old import forget_sessions, forget_tombstones, trim_log
from services.api.actions.sweep_unseen import sweep_unseen
from services.api.world import World
from shared.db import is_away

log = structlog.get_logger()

_AWAY_SECONDS = 2.0
# A statement that took too long, or met others: the work is there still, and nobody waits for it.
_BUSY = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
_HOUSEKEEPING_SECONDS = 3600.0


async def work(world: World) -> None:
    """Run for ever; ends with the first error that is not the database's absence."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_delete(world), name="delete")
        tasks.create_task(_housekeep(world), name="housekeep")


async def _delete(world: World) -> None:
    while True:
        world.to_forget.clear()
        for some in (sweep_unseen, forget_account):
            while await _patiently(lambda some=some: some(world.pool)):
                pass
        try:
            async with asyncio.timeout(world.settings.forget_poll_seconds):
                await world.to_forget.wait()
        except TimeoutError:
            continue


async def _housekeep(world: World) -> None:
    settings = world.settings
    while True:
        await _patiently(lambda: trim_log(world.pool, settings.event_log_keep))
        await _patiently(lambda: forget_tombstones(world.pool, settings.tombstone_keep))
        await _patiently(lambda: forget_sessions(world.pool, settings.refresh_lives))
        await asyncio.sleep(_HOUSEKEEPING_SECONDS)


async def _patiently(step: Callable[[], Awaitable[object]]) -> object:
    """The step's result; while the database is away or too busy, waits and tries again."""
    said: str | None = None
    while True:
        try:
            return await step()
        except Exception as error:
            if not is_away(error) and not isinstance(error, _BUSY):
                raise
            if said != str(error):
                said = str(error)
                log.warning("waiting for the database", error=said)
            await asyncio.sleep(_AWAY_SECONDS)

"""The loops of a process that runs, and their end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from services.sender import store
from services.sender.actions.gather_letters import gather_letters
from services.sender.actions.purge_mime import purge_mime
from services.sender.actions.remove_account import sweep_removed_accounts
from services.sender.actions.seek_traces import seek_traces
from services.sender.actions.settle_interrupted import settle_interrupted
from services.sender.domain.turns import Sender
from services.sender.metrics import (
    OLDEST_SUBMISSION_SECONDS,
    SUBMISSIONS_INTERRUPTED,
    SUBMISSIONS_UNCERTAIN,
    SUBMISSIONS_WAITING,
)
from services.sender.workers.sending import Sending
from services.sender.world import World
from shared.db import putting_off
from shared.telemetry import end

log = structlog.get_logger()

_SETTLE_EVERY_SECONDS = 5.0
_TIDY_EVERY_SECONDS = 60.0
_COUNT_EVERY_SECONDS = 15.0
_PART_EVERY_SECONDS = 1.0
_SEEK_EVERY_SECONDS = 2.0
_AWAY_SECONDS = 1.0


async def work(world: World, stop: asyncio.Event) -> None:
    """Work until told to stop; then begin nothing and end what was begun."""
    lease_seconds = world.settings.lease_seconds
    async with Sending.opened(world) as sending:
        loops = [
            asyncio.create_task(_every(seconds, each, world))
            for seconds, each in (
                (lease_seconds / 4, sending.keep_leases),
                (min(_SETTLE_EVERY_SECONDS, lease_seconds), _settle),
                (_PART_EVERY_SECONDS, sending.part_from_idle),
                (_SEEK_EVERY_SECONDS, _seek),
                (_TIDY_EVERY_SECONDS, _tidy),
                (_COUNT_EVERY_SECONDS, _count),
            )
        ]
        loops.append(asyncio.create_task(_compose(world)))
        for loop in loops:
            # One that fails ends the process, in good order: what is being handed over is.
            loop.add_done_callback(lambda _: stop.set())
        try:
            await sending.run(stop)
            for loop in loops:
                if loop.done():
                    loop.result()
        finally:
            await end(loops)


async def _every(seconds: float, each: Callable[[World], Awaitable[None]], world: World) -> None:
    """Do this again and again, also after the database was away."""
    while True:
        pause = _AWAY_SECONDS
        with putting_off(each.__name__):
            await each(world)
            pause = seconds
        await asyncio.sleep(pause)


async def _compose(world: World) -> None:
    """Compose what waits for its files, one after the other."""
    while True:
        world.letters.clear()
        composed: Sequence[Sender] = ()
        with putting_off("composing"):
            composed = await gather_letters(world.bus, world.pool)
        if composed:
            world.relay.wake()
            world.have_due(composed)
            continue
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(world.settings.poll_seconds):
                await world.letters.wait()


async def _settle(world: World) -> None:
    settled = await settle_interrupted(world.pool)
    for submission in settled:
        log.warning(
            "submission interrupted",
            submission_id=str(submission.submission_id),
            state=submission.state.value,
        )
    if settled:
        SUBMISSIONS_INTERRUPTED.inc(len(settled))
        world.have_due(
            Sender(one.tenant_id, one.account_id) for one in settled if one.due_at is not None
        )
        world.relay.wake()


async def _seek(world: World) -> None:
    if await seek_traces(world.pool):
        world.relay.wake()


async def _tidy(world: World) -> None:
    settings = world.settings
    async with world.pool.acquire() as connection:
        await store.forget_paces(connection)
        await store.forget_days(connection, before=datetime.now(UTC).date())
    await sweep_removed_accounts(world.pool)
    await purge_mime(
        world.pool,
        kept_for=timedelta(days=settings.mime_kept_days),
        unfiled_kept_for=timedelta(days=settings.unfiled_mime_kept_days),
    )


async def _count(world: World) -> None:
    async with world.pool.acquire() as connection:
        waiting = await store.waiting(connection)
    SUBMISSIONS_WAITING.set(waiting.submissions)
    OLDEST_SUBMISSION_SECONDS.set(waiting.oldest_seconds)
    SUBMISSIONS_UNCERTAIN.set(waiting.uncertain)

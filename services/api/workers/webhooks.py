"""Telling webhooks: the log is sorted into lanes, and lanes are delivered side by side.

Every replica does both. A lane belongs to whoever has its lease; when that one is killed, another
goes on where it was once the lease is over.
"""

import asyncio
from datetime import datetime

from services.api.actions.claim_lanes import claim_lanes, give_back_lane
from services.api.actions.deliver_event import deliver_event
from services.api.actions.distribute_events import distribute_events
from services.api.store.lanes import Lane
from services.api.workers.chores import patiently
from services.api.world import World
from shared.db import putting_off
from shared.telemetry import end, until_one_ends

# Logs that grow within this time are read on in one look and not in one each.
_BETWEEN_LOOKS_SECONDS = 0.05


async def tell_webhooks(world: World) -> None:
    """Run for ever; ends with the first error that is not the database's absence."""
    await until_one_ends(_distribute(world), _deliver(world))


async def _distribute(world: World) -> None:
    grew = world.growth.anything
    while True:
        grew.clear()
        while await patiently(lambda: distribute_events(world.pool, world.clock())):
            world.to_deliver.set()
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        await _for(grew, world.settings.event_poll_seconds)


async def _deliver(world: World) -> None:
    settings = world.settings
    most = settings.webhook_deliveries_at_once
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            world.to_deliver.clear()
            free = most - len(running)
            if free > 0:
                for lane in await patiently(
                    lambda free=free: claim_lanes(
                        world.pool,
                        now=world.clock(),
                        lease=world.manner.lease,
                        at_once=free,
                        # Those that fail take their time: the others have half for themselves.
                        failing=max(0, free - most // 2),
                        of_each=settings.webhook_accounts_at_once,
                    )
                ):
                    task = asyncio.create_task(_carry(world, lane))
                    running.add(task)
                    task.add_done_callback(lambda _: world.to_deliver.set())
            await _for(world.to_deliver, settings.event_poll_seconds)
            for task in [task for task in running if task.done()]:
                running.remove(task)
                task.result()
    finally:
        await end(running)


async def _carry(world: World, lane: Lane) -> None:
    """Tell what is in this lane, one event after the other, until it is empty or one fails."""
    poster = world.manner.poster()
    now: Lane | None = lane
    try:
        while now is not None:
            lane = now
            with putting_off("telling a webhook"):  # the lease ends by itself
                delivered = await deliver_event(
                    world.pool, world.request_pool, poster, world.manner, lane, world.clock
                )
                await world.committed(delivered.grew)
                if delivered.due_at is not None:
                    _wake_at(world, delivered.due_at)
                now = delivered.lane
                continue
            return
    except asyncio.CancelledError:
        with putting_off("giving back a lane"):
            await give_back_lane(world.pool, lane)
        raise
    finally:
        poster.close()


def _wake_at(world: World, due_at: datetime) -> None:
    """Look when that is due, where it is sooner than the next poll."""
    seconds = (due_at - world.clock()).total_seconds()
    if seconds < world.settings.event_poll_seconds:
        asyncio.get_running_loop().call_later(max(seconds, 0.0) + 0.01, world.to_deliver.set)


async def _for(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return

"""The floor beneath the hints by which streams and waiting requests are woken."""

import asyncio
from uuid import UUID

from services.api.actions.look_at_logs import look_at_logs
from services.api.workers.chores import patiently
from services.api.world import World


async def watch_logs(world: World) -> None:
    """Wake who follows a log that grew though no hint came; one question for all of them."""
    known: dict[UUID, int] = {}
    while True:
        followed = world.growth.followed
        if followed:
            known, grown = await patiently(
                lambda followed=followed, known=known: look_at_logs(world.pool, followed, known)
            )
            for tenant_id in grown:
                world.growth.grew(tenant_id)
        await asyncio.sleep(world.settings.event_poll_seconds)

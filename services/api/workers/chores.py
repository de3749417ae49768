"""What the api does by itself: deleting what is to be deleted, forgetting what is old."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from services.api.actions.copy_drafts import copy_drafts
from services.api.actions.count_storage import count_storage
from services.api.actions.distribute_events import distribute_events
from services.api.actions.follow_drafts import follow_drafts
from services.api.actions.forget_account import forget_account
from services.api.actions.forget_old import (
    forget_deliveries,
    forget_exports,
    forget_jobs,
    forget_links,
    forget_sessions,
    forget_tombstones,
    trim_log,
)
from services.api.actions.forget_tenant import forget_tenant
from services.api.actions.forget_uploads import forget_uploads
from services.api.actions.gather_jobs import gather_some
from services.api.actions.lose_untold import lose_untold
from services.api.actions.passing_on import Writer
from services.api.actions.repeating import forget_keys
from services.api.actions.send_system_mail import forget_secrets, send_system_mail
from services.api.actions.sweep_unseen import sweep_unseen
from services.api.actions.write_audit import forget_audit, write_audit
from services.api.world import World
from shared.contracts.envelope import Caller
from shared.db import putting_off
from shared.telemetry import until_one_ends

T = TypeVar("T")

_AWAY_SECONDS = 2.0
_DRAFTS_SECONDS = 3.0
_HOUSEKEEPING_SECONDS = 3600.0


async def work(world: World) -> None:
    """Run for ever; ends with the first error that is not the database's absence."""
    await until_one_ends(
        _delete(world),
        _gather(world),
        _audit(world),
        _keep_drafts_alike(world),
        _write_to_people(world),
        _housekeep(world),
    )


async def _delete(world: World) -> None:
    while True:
        world.to_forget.clear()
        for some in (sweep_unseen, forget_account):
            while await patiently(lambda some=some: some(world.pool)):
                pass
        while await patiently(lambda: forget_tenant(world.pool, world.bus)):
            pass
        try:
            async with asyncio.timeout(world.settings.forget_poll_seconds):
                await world.to_forget.wait()
        except TimeoutError:
            continue


async def _gather(world: World) -> None:
    """Go on with jobs of many messages, whoever was asked for them."""
    while True:
        world.to_gather.clear()
        while True:
            grew = await patiently(lambda: gather_some(world.pool, world.settings.undo_window))
            if grew is None:
                break
            await world.committed(grew, told=True)
        try:
            async with asyncio.timeout(world.settings.forget_poll_seconds):
                await world.to_gather.wait()
        except TimeoutError:
            continue


async def _audit(world: World) -> None:
    """Write down who did what, a little later than it was done."""
    while True:
        await patiently(lambda: write_audit(world.pool))
        await asyncio.sleep(world.settings.audit_poll_seconds)


async def _keep_drafts_alike(world: World) -> None:
    """Let mailboxes for drafts follow what is written, and drafts what other programs write."""

    def writer_for(caller: Caller, person_id: UUID) -> Writer:
        return Writer(
            pool=world.request_pool,
            bus=world.bus,
            bucket=world.bucket,
            caller=caller,
            person_id=person_id,
            most_unused_bytes=world.settings.uploads_unused_max_bytes,
        )

    steps = (lambda: follow_drafts(world.pool, writer_for), lambda: copy_drafts(world.pool))
    while True:
        for step in steps:
            while (grew := await patiently(step)) is not None:
                await world.committed(grew, told=True)
        await asyncio.sleep(_DRAFTS_SECONDS)


async def _write_to_people(world: World) -> None:
    """Send system mail, where the operator named a server for it."""
    server = world.settings.system_server
    while server is not None:
        world.to_mail.clear()
        while await patiently(lambda: send_system_mail(world.pool, server, world.settings.link)):
            pass
        try:
            async with asyncio.timeout(world.settings.forget_poll_seconds):
                await world.to_mail.wait()
        except TimeoutError:
            continue
    await asyncio.Event().wait()


async def _housekeep(world: World) -> None:
    settings = world.settings
    while True:
        while await patiently(lambda: distribute_events(world.pool, world.clock())):
            world.to_deliver.set()
        now = world.clock()
        lost = await patiently(
            lambda now=now: lose_untold(world.pool, settings.event_log_keep, now)
        )
        await world.committed(lost)
        await patiently(lambda now=now: trim_log(world.pool, settings.event_log_keep, now))
        await patiently(
            lambda now=now: forget_deliveries(world.pool, settings.webhook_delivery_keep, now)
        )
        await patiently(lambda now=now: forget_exports(world.pool, now))
        await patiently(lambda now=now: forget_links(world.pool, settings.job_keep, now))
        await patiently(lambda: forget_tombstones(world.pool, settings.tombstone_keep))
        await patiently(lambda: forget_jobs(world.pool, settings.job_keep))
        await patiently(lambda: forget_sessions(world.pool, settings.refresh_lives))
        await patiently(lambda: forget_uploads(world.pool, settings.upload_keep))
        await patiently(lambda: forget_keys(world.pool))
        await patiently(lambda: count_storage(world.pool))
        await patiently(lambda: forget_secrets(world.pool))
        await patiently(lambda: forget_audit(world.pool, settings.audit_keep))
        await asyncio.sleep(_HOUSEKEEPING_SECONDS)


async def patiently(step: Callable[[], Awaitable[T]]) -> T:
    """The step's result; while the database is away or too busy, waits and tries again."""
    while True:
        with putting_off("deleting"):
            return await step()
        await asyncio.sleep(_AWAY_SECONDS)

"""sender put together: settings, doors, ears and workers."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta

from uuid_utils.compat import uuid7

from services.sender import store
from services.sender.actions.doubt_overtaken import doubt_overtaken
from services.sender.actions.freeze_submission import freezing_in
from services.sender.actions.room import Room
from services.sender.actions.taking import Terms
from services.sender.actions.tokens import Tokens
from services.sender.settings import Settings
from services.sender.subscribers import ears
from services.sender.workers import work
from services.sender.world import World
from shared.bus import Relay, open_bus
from shared.db import Pool, open_pool, settle_restoration
from shared.dial.providers import know_providers
from shared.seal import KeysUnusable, OpeningKeys, Tampered, key_id_of, missing_keys
from shared.telemetry import Check, configure, serve_probes


async def main(stop: asyncio.Event) -> None:
    """Run sender until told to stop."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    configure("sender", settings.log_level, settings.log_format)
    know_providers(settings.mail_providers_file)
    async with (
        open_world(settings) as world,
        serve_probes(settings.probe_host, settings.probe_port, _checks(world)),
    ):
        await serve(world, stop)


async def serve(world: World, stop: asyncio.Event) -> None:
    """Hear and work until told to stop."""
    async with world.relay.running(), ears.open(world.bus, world):
        await work(world, stop)


@contextlib.asynccontextmanager
async def open_world(settings: Settings) -> AsyncGenerator[World]:
    """Open every door; raises KeysUnusable when a password could not be opened."""
    keys = OpeningKeys.load(settings.seal_keys_dir)
    async with (
        open_bus(settings, service="sender") as bus,
        open_pool(
            settings.database_url,
            settings,
            name="sender",
            size=settings.database_pool_size,
            by_key=True,
            planned_once=True,
        ) as pool,
        open_pool(
            settings.request_database_url,
            settings,
            name="sender_request",
            size=settings.request_database_pool_size,
            by_key=True,
            planned_once=True,
        ) as request_pool,
    ):
        await _check_keys(pool, keys)
        await settle_restoration(pool, doubt_overtaken)
        terms = Terms(
            owner=uuid7(),
            lease=timedelta(seconds=settings.lease_seconds),
            per_account=settings.attempts_at_once_per_account,
            limits=settings.limits,
        )
        yield World(
            settings=settings,
            bus=bus,
            pool=pool,
            request_pool=request_pool,
            relay=Relay(bus, pool),
            keys=keys,
            tokens=Tokens(bus, keys),
            terms=terms,
            room=Room(settings.attempts_at_once, settings.attempts_at_once_per_account),
            freezing=freezing_in(pool, terms),
        )


async def _check_keys(pool: Pool, keys: OpeningKeys) -> None:
    """Better no start than accounts that cannot send, found out one by one."""
    async with pool.acquire() as connection:
        headers = await store.sealed_headers(connection)
    in_use: set[str] = set()
    for header in headers:
        # What is no sealed secret at all is its account's affair: its sending is put off.
        with contextlib.suppress(Tampered):
            in_use.add(key_id_of(header))
    if missing := missing_keys(in_use, keys):
        raise KeysUnusable(
            f"Accounts were sealed for {', '.join(sorted(missing))}, which is not among the keys."
        )


def _checks(world: World) -> dict[str, Check]:
    async def database() -> bool:
        return await world.pool.fetchval("SELECT 1") == 1

    async def bus() -> bool:
        return world.bus.is_connected

    return {"database": database, "bus": bus}

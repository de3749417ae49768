"""The composition root of sync: settings, doors, ears, workers."""

import asyncio
from contextlib import AsyncExitStack

from uuid_utils.compat import uuid7

from services.sync.settings import Role, Settings
from services.sync.store import accounts
from services.sync.subscribers import ears
from services.sync.workers import chores
from services.sync.workers.shepherd import Shepherd
from services.sync.world import World
from shared.bus import Relay, open_bus
from shared.contracts.mail import ReadContent
from shared.db import Pool, open_pool
from shared.seal import KeysUnusable, OpeningKeys, missing_keys
from shared.telemetry import configure, serve_probes


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    configure("sync", settings.log_level, settings.log_format)
    await serve(settings, stop)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Open every door, work, and close them in the other order."""
    keys = OpeningKeys.load(settings.seal_keys_dir)
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings, service="sync"))
        pool = await stack.enter_async_context(
            open_pool(
                settings.database_url,
                settings,
                name=f"sync {settings.role}",
                size=settings.database_pool_size,
            )
        )
        request_pool = await stack.enter_async_context(
            open_pool(
                settings.request_database_url,
                settings,
                name=f"sync {settings.role} request",
                size=settings.request_database_pool_size,
            )
        )
        await _all_keys_here(pool, keys)
        relay = Relay(bus, pool)
        world = World(
            settings=settings,
            bus=bus,
            pool=pool,
            request_pool=request_pool,
            relay=relay,
            keys=keys,
            replica_id=uuid7(),
        )

        async def database() -> None:
            await pool.fetchval("SELECT 1")

        async def connected() -> bool:
            return bus.is_connected

        await stack.enter_async_context(
            serve_probes(
                settings.probe_host, settings.probe_port, {"database": database, "bus": connected}
            )
        )
        if settings.role is Role.ANSWER:
            await stack.enter_async_context(ears.open(bus, world, only=[ReadContent]))
            await stop.wait()
            return
        await stack.enter_async_context(relay.running())
        commands = [contract for contract in ears.contracts if contract is not ReadContent]
        await stack.enter_async_context(ears.open(bus, world, only=commands))
        await _work(world, stop)


async def _work(world: World, stop: asyncio.Event) -> None:
    """Run the loops; one that ends by a bug ends the process, which is then started anew."""
    shepherd = Shepherd(world)
    loops = [chores.retell(world), chores.tidy(world)]
    if world.settings.enabled:
        loops += [shepherd.run(), chores.file_copies(world, shepherd)]
    tasks = [asyncio.create_task(loop) for loop in loops]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    finally:
        stopping.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _all_keys_here(pool: Pool, keys: OpeningKeys) -> None:
    async with pool.acquire() as connection:
        missing = missing_keys(await accounts.seal_keys_in_use(connection), keys)
    if missing:
        raise KeysUnusable(f"Passwords are sealed with keys that are not here: {sorted(missing)}.")

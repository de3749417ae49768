"""The composition root of sync: settings, doors, ears, workers."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.sync.actions.ask_rethreading import ask_rethreading
from services.sync.actions.audit_now import audit_now
from services.sync.actions.refreshing import Refresher
from services.sync.actions.settle_restore import settle_restore
from services.sync.actions.understanding import Readers
from services.sync.settings import Role, Settings, release
from services.sync.store import accounts, grants, leases
from services.sync.store.audits import Verdict
from services.sync.subscribers import ears
from services.sync.workers import chores
from services.sync.workers.answering import beat, living
from services.sync.workers.couriers import Couriers
from services.sync.workers.shepherd import Shepherd
from services.sync.world import World
from shared.bus import Relay, open_bus
from shared.contracts.attachment import SlotWanted
from shared.contracts.envelope import Query
from shared.db import Pool, open_pool, settle_restoration
from shared.dial.providers import know_providers
from shared.seal import KeysUnusable, OpeningKeys, SealingKeys, missing_keys
from shared.telemetry import configure, serve_probes, until_one_ends

#: New mail comes every few minutes: it should not wait for a process to be born.
_READERS_IDLE_SECONDS = 600.0


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    configure("sync", settings.log_level, settings.log_format)
    know_providers(settings.mail_providers_file)
    await serve(settings, stop)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Open every door, work, and close them in the other order."""
    keys = OpeningKeys.load(settings.seal_keys_dir)
    replica_id = uuid7()
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(open_bus(settings, service="sync"))
        pool = await stack.enter_async_context(
            open_pool(
                settings.database_url,
                settings,
                name=leases.session_name(settings.role, replica_id),
                size=settings.database_pool_size,
                by_key=True,
                planned_once=True,
            )
        )
        request_pool = await stack.enter_async_context(
            open_pool(
                settings.request_database_url,
                settings,
                name=f"sync {settings.role} request",
                size=settings.request_database_pool_size,
                by_key=True,
                planned_once=True,
            )
        )
        await _all_keys_here(pool, keys)
        await settle_restoration(pool, settle_restore)
        relay = Relay(bus, pool)
        refresher = Refresher(settings, keys, pool)
        stack.push_async_callback(refresher.close)
        couriers = Couriers(
            settings=settings,
            keys=keys,
            pool=pool,
            refresher=refresher,
            replica_id=replica_id,
            bus=bus,
        )
        world = World(
            settings=settings,
            bus=bus,
            pool=pool,
            request_pool=request_pool,
            relay=relay,
            keys=keys,
            refresher=refresher,
            sender_keys=settings.sender_keys_dir and SealingKeys.load(settings.sender_keys_dir),
            replica_id=replica_id,
            release=release(),
            readers=await stack.enter_async_context(
                Readers(at_once=settings.readers, idle_seconds=_READERS_IDLE_SECONDS)
            ),
            bringing=couriers,
            first_copies=asyncio.Semaphore(settings.first_copies_at_once),
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
        questions = [contract for contract in ears.contracts if issubclass(contract, Query)]
        if settings.role is Role.ANSWER:
            await stack.enter_async_context(living(world))
            await stack.enter_async_context(ears.open(bus, world, only=[*questions, SlotWanted]))
            await until_one_ends(stop.wait(), beat(world))
            return
        await stack.enter_async_context(relay.running())
        commands = [contract for contract in ears.contracts if contract not in questions]
        await stack.enter_async_context(ears.open(bus, world, only=commands))
        await _work(world, stop)


async def rethread(account_id: UUID | None) -> int:
    """Ask for threads made anew, of one account or of all; of how many. A running sync does it."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    async with open_pool(settings.database_url, settings, name="sync rethread", size=1) as pool:
        return await ask_rethreading(pool, account_id)


async def audit(account_id: UUID | None, seconds: float) -> tuple[list[Verdict], datetime]:
    """Have a running sync compare mailboxes with their servers, and wait so long for what it says.

    Of one account or of all; since the moment returned, a proof is of this asking.
    """
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    async with open_pool(settings.database_url, settings, name="sync audit", size=1) as pool:
        return await audit_now(pool, account_id, seconds)


async def _work(world: World, stop: asyncio.Event) -> None:
    """Run the loops; one that ends by a bug ends the process, which is then started anew."""
    shepherd = Shepherd(world)
    loops = [chores.retell(world), chores.tidy(world), chores.measure(world)]
    if world.settings.enabled:
        loops += [
            chores.rethread(world),
            chores.revoke(world),
            chores.file_copies(world, shepherd),
            shepherd.run(),
        ]
    await until_one_ends(stop.wait(), *loops)


async def _all_keys_here(pool: Pool, keys: OpeningKeys) -> None:
    async with pool.acquire() as connection:
        in_use = await accounts.seal_keys_in_use(connection)
        in_use += await grants.seal_keys_in_use(connection)
    missing = missing_keys(in_use, keys)
    if missing:
        raise KeysUnusable(f"Passwords are sealed with keys that are not here: {sorted(missing)}.")

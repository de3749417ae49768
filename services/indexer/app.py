"""The memory put together: settings, pools, bus, ears, workers, probes."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from services.indexer.actions.ask_retell import ask_retell
from services.indexer.actions.giving_way import Copies, GivingWay, at_once
from services.indexer.actions.read_words_again import ask_reading, count_unread
from services.indexer.actions.reading import Reader, read_in_thread
from services.indexer.actions.settle_restore import settle_restore
from services.indexer.settings import Settings
from services.indexer.store.codec import teach_tsvector
from services.indexer.subscribers import LISTENER, ears
from services.indexer.workers import keep_current, keep_in_order, keep_tidy
from services.indexer.world import World
from shared.bus import Relay, last_told, open_bus
from shared.contracts.mail import MessagesFilled
from shared.db import open_pool, settle_restoration
from shared.telemetry import configure, serve_probes, until_one_ends

_LOOK_SECONDS = 2.0  # of who follows how words are made anew


async def main(stop: asyncio.Event) -> None:
    """Serve until told to stop; an error in any part ends the process."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    configure(LISTENER, settings.log_level, settings.log_format)
    async with (
        open_bus(settings, service=LISTENER) as bus,
        open_pool(
            settings.database_url,
            settings,
            name=LISTENER,
            size=settings.database_pool_size,
            lesson=teach_tsvector,
        ) as pool,
        open_pool(
            settings.request_database_url,
            settings,
            name=f"{LISTENER}_request",
            size=settings.request_database_pool_size,
            planned_once=True,
        ) as request_pool,
        Reader() as reader,
    ):
        await settle_restoration(pool, settle_restore)

        copies = Copies()
        giving_way = GivingWay(
            last_told=lambda: last_told(bus, MessagesFilled),
            copies=copies,
            most_seconds=settings.give_way_seconds,
        )
        world = World(
            pool=pool,
            request_pool=request_pool,
            read_fill=reader.read if settings.readers else read_in_thread,
            turn=giving_way.turn if settings.give_way_seconds else at_once,
            gives_way=lambda: giving_way.is_waiting,
            copies=copies,
        )

        async def database_is_there() -> bool:
            return await pool.fetchval("SELECT 1") == 1

        async def bus_is_there() -> bool:
            return bus.is_connected

        checks = {"database": database_is_there, "bus": bus_is_there}
        async with (
            Relay(bus, pool).running(),
            ears.open(bus, world),
            serve_probes(settings.probe_host, settings.probe_port, checks),
        ):
            await until_one_ends(
                stop.wait(),
                keep_tidy(world, settings),
                keep_in_order(world, settings),
                keep_current(world, settings),
            )


async def reindex(
    account_id: UUID | None, tenant_id: UUID | None, said: Callable[[str], None]
) -> bool:
    """Have words made anew by the running indexers, and follow it; False: there is no account."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    async with open_pool(settings.database_url, settings, name="indexer reindex", size=2) as pool:
        accounts = await ask_reading(pool, account_id=account_id, tenant_id=tenant_id)
        if not accounts:
            return False
        said(f"{accounts} accounts are read again; searching goes on. Ctrl-C ends only this look.")
        while (left := await count_unread(pool)).accounts:
            said(f"{left.messages} messages of {left.accounts} accounts are left")
            await asyncio.sleep(_LOOK_SECONDS)
        said("all words are new")
        return True


async def retell(account_id: UUID | None) -> UUID:
    """Ask for everything again; the relay of a running indexer sends the command."""
    settings = Settings()  # pyright: ignore[reportCallIssue] - from the environment
    async with open_pool(settings.database_url, settings, name="indexer retell", size=2) as pool:
        return await ask_retell(pool, account_id)

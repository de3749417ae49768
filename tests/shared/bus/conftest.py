"""A bus to listen on, and an outbox that belongs to nobody's product."""

from collections.abc import AsyncIterator

import asyncpg
import pytest_asyncio

from shared.bus import Bus, BusSettings, open_bus
from tests.platform import Platform

OUTBOX = """
CREATE SCHEMA IF NOT EXISTS trial;
CREATE TABLE IF NOT EXISTS trial.outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane text NOT NULL,
    subject text NOT NULL,
    event_id uuid NOT NULL,
    body bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
TRUNCATE trial.outbox;
"""


@pytest_asyncio.fixture(loop_scope="session")
async def sync_bus(platform: Platform) -> AsyncIterator[Bus]:
    async with open_bus(BusSettings(bus_url=platform.bus_url("sync")), service="sync") as bus:
        yield bus


@pytest_asyncio.fixture(loop_scope="session")
async def indexer_bus(platform: Platform) -> AsyncIterator[Bus]:
    settings = BusSettings(bus_url=platform.bus_url("indexer"))
    async with open_bus(settings, service="indexer") as bus:
        yield bus


@pytest_asyncio.fixture(loop_scope="session")
async def outbox(platform: Platform) -> AsyncIterator[asyncpg.Pool]:
    """A pool whose search_path holds an outbox."""
    pool = await asyncpg.create_pool(
        platform.admin_database_url, server_settings={"search_path": "trial"}
    )
    await pool.execute(OUTBOX)
    yield pool
    await pool.close()

"""Fixtures every test may ask for. Nothing is started for a test that does not ask."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.platform import Platform, running_platform

pytest_plugins = ["tests.servers.fixtures"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_platform() -> AsyncIterator[Platform]:
    """One PostgreSQL and one NATS for the session, migrated and applied."""
    async with running_platform() as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="session")
async def platform(shared_platform: Platform) -> Platform:
    """The session's servers with no row and no message in them."""
    await shared_platform.empty()
    return shared_platform

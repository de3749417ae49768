"""Fixtures every test may ask for. Nothing is started for a test that does not ask."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

# Before they are imported: what they assert shows its values, as in a test.
pytest.register_assert_rewrite("tests.chaos", "tests.stories", "tests.servers", "tests.sync")

from tests.platform import Platform, running_platform  # noqa: E402

ROOT = Path(__file__).parent

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side (pytest-xdist), what starts the whole platform is left to one worker."""
    for item in items:
        folder = item.path.relative_to(ROOT).parts[0]
        if folder in {"stories", "dev"} or item.path.stem == "test_model":
            item.add_marker(pytest.mark.xdist_group("the whole platform"))

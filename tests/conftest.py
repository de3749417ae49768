"""Fixtures every test may ask for. Nothing is started for a test that does not ask."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

# Before they are imported: what they assert shows its values, as in a test.
pytest.register_assert_rewrite("tests.chaos", "tests.stories", "tests.servers", "tests.sync")

from tests.platform import Platform, running_platform  # noqa: E402

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Side by side, what needs the same large servers is left to one process."""
    if config.getoption("dist") != "load":
        return None
    from tests.side_by_side import SideBySide

    return SideBySide(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What passed at its second try may have seen a fault: why it was tried again is shown."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"tried again: {report.nodeid}")
        terminalreporter.line(report.longreprtext[-4_000:])

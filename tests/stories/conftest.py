"""The platform, started once for all stories."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.servers.name_server import NameServer, running_name_server
from tests.stories.stack import Stack, running_stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack_names() -> AsyncIterator[NameServer]:
    """The name server that the platform of the stories asks for the servers of an address."""
    async with running_name_server() as names:
        yield names


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(stack_names: NameServer) -> AsyncIterator[Stack]:
    async with running_stack(API_DISCOVERY_NAME_SERVERS=stack_names.address) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def person(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    await stack.until_serving()
    async with stack.person() as client:
        yield client

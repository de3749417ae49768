"""The platform, started once for all stories."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.stories.stack import Stack, running_stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack() -> AsyncIterator[Stack]:
    async with running_stack() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def person(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with stack.person() as client:
        yield client

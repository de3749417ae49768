"""The platform under measurement: its processes, its rows, and the durability it runs with."""

import asyncio
import json
import os
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from benchmarks.machine import Processor
from shared.contracts.ids import Kind, read
from shared.db import Connection
from tests.servers.dovecot import Dovecot
from tests.stories.stack import Stack, running_stack
from tests.stories.walk import connection

SERVICES = ("sync-listen", "sync-answer", "api", "indexer", "sender", "nats", "postgres")


class NotDurable(Exception):
    """The platform runs with less than its durability; what would be measured is worth nothing."""


@dataclass(frozen=True)
class Platform:
    """A running platform, one person in it, and a look behind the scenes."""

    stack: Stack
    person: httpx.AsyncClient
    database: Connection
    pids: dict[str, int]
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)  # one look at a time

    async def processor(self, dovecot: Dovecot) -> Processor:
        """What every process has used; PostgreSQL's backends apart, by whom they serve."""
        now = Processor.now(
            self.pids
            | {"dovecot": dovecot_pid(dovecot), "this benchmark": os.getpid()}
            | await self._backends()
        )
        used: dict[str, float] = {}
        for name, seconds in now.used.items():
            name = name.partition("#")[0]
            used[name] = used.get(name, 0.0) + seconds
        return Processor(used, now.busy)

    async def _backends(self) -> dict[str, int]:
        rows = await self.database.fetch(
            "SELECT pid, usename FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return {
            f"postgres for {row['usename'].removesuffix('_request')}#{row['pid']}": row["pid"]
            for row in rows
        }

    async def connect(self, imap_port: int, user: str) -> str:
        """POST /accounts; the account's id."""
        answer = await self.person.post(
            "/accounts",
            json={
                "name": "Measured",
                "email": user,
                "imap": connection(imap_port, user),
                "smtp": connection(1, user),
            },
        )
        answer.raise_for_status()
        return answer.json()["id"]

    async def number(self, query: str, *arguments: object) -> int:
        async with self.looking:
            return int(await self.database.fetchval(query, *arguments) or 0)

    async def listed(self, account_id: UUID) -> int:
        """Messages that a reader sees in lists."""
        return await self.number(
            "SELECT count(*) FROM api.message WHERE account_id = $1 AND listed", account_id
        )

    async def indexed(self, account_id: UUID) -> int:
        """Messages whose words the memory has."""
        return await self.number(
            "SELECT count(*) FROM indexer.document WHERE account_id = $1 AND has_content",
            account_id,
        )

    async def finds(self, account: str, word: str) -> tuple[bool, float]:
        """Whether the word finds its message, and the seconds that took."""
        began = time.perf_counter()
        answer = await self.person.get("/search", params={"q": word})
        taken = time.perf_counter() - began
        answer.raise_for_status()
        return any(item["account_id"] == account for item in answer.json()["items"]), taken


def uuid_of(account: str) -> UUID:
    """The account's id as the tables have it."""
    return read(Kind.ACCOUNT, account)


def dovecot_pid(dovecot: Dovecot) -> int:
    return int((dovecot.directory / "run" / "master.pid").read_text())


@asynccontextmanager
async def running_platform(**settings: str) -> AsyncGenerator[Platform]:
    """Start the platform with the settings it ships with, and somebody who uses it."""
    settings = {
        "SYNC_POLL_SECONDS": "60",  # which stories hurry
        "API_ACCESS_TOKEN_MINUTES": "120",  # one sign-in is enough for the longest part
    } | settings
    async with running_stack(None, **settings) as stack, stack.person() as person:
        database = await asyncpg.connect(stack.superuser_url)
        try:
            await _must_be_durable(database, stack)
            yield Platform(stack, person, database, service_pids(stack))
        finally:
            await database.close()


def service_pids(stack: Stack) -> dict[str, int]:
    found = stack.pids()
    missing = set(SERVICES) - found.keys()
    assert not missing, f"the platform runs without {missing}"
    return {name: found[name] for name in SERVICES}


async def until(
    check: Callable[[], Awaitable[Any]], *, seconds: float, every: float = 0.05
) -> float:
    """The moment (time.monotonic) at which the check was first true."""
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(every)
    return time.monotonic()


def sample(words: Sequence[str], count: int) -> list[str]:
    """Some of the words, the first and the last among them."""
    inner = random.Random(len(words)).sample(words[1:-1], min(count, len(words)) - 2)
    return [words[0], words[-1], *inner]


async def _must_be_durable(database: Connection, stack: Stack) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        value = await database.fetchval(f"SHOW {setting}")
        if value != "on":
            raise NotDurable(f"PostgreSQL runs with {setting} = {value}")
    configuration = json.loads((stack.home / "run" / "nats.conf").read_text())
    if configuration["jetstream"]["sync_interval"] != "always":
        raise NotDurable("NATS does not write through")

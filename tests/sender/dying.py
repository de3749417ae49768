"""A sender, its bus and its database, which are killed and come back while others look on."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from types import CoroutineType

import asyncpg

from tests.sender.conftest import Bench
from tests.sender.faulty import Fault


class Killing:
    """A sender that comes back when it dies, and the deaths of those it stands on."""

    def __init__(self, bench: Bench, **environment: str) -> None:
        self._bench = bench
        self._turn = asyncio.Lock()
        self._environment = environment
        self._stack = AsyncExitStack()
        self.deaths = Counter[Fault]()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Killing"]:
        try:
            await self._start()
            yield self
        finally:
            await self._stack.aclose()

    async def kill(self, who: Fault) -> None:
        """SIGKILL, and the dead one comes back."""
        async with self._turn:
            self.deaths[who] += 1
            match who:
                case Fault.KILL_POSTGRES:
                    await self._bench.platform.postgres.kill()
                    await self._bench.platform.postgres.start()
                case Fault.KILL_NATS:
                    await self._bench.platform.nats.kill()
                    await self._bench.platform.nats.start()
                case _:
                    await self._stack.aclose()
                    await self._start()

    async def _start(self) -> None:
        process = await self._stack.enter_async_context(self._bench.process(**self._environment))
        # Who writes what nobody reads is held up once the pipe is full.
        assert process.stdout is not None
        self._reading = asyncio.create_task(process.stdout.read())


class Rows:
    """What sender has written, asked by somebody whose connection may die with the database."""

    def __init__(self, bench: Bench) -> None:
        self._url = bench.platform.database_url("sender")
        self._connection: asyncpg.Connection | None = None

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        """The rows; none while nobody answers."""
        try:
            connection = self._connection
            if connection is None or connection.is_closed():
                connection = self._connection = await asyncpg.connect(
                    self._url, timeout=10, command_timeout=30
                )
            return await connection.fetch(query)
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # the connection ended in the middle of an answer
        ):
            await self.close()
            return []

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


@asynccontextmanager
async def in_a_hurry(bench: Bench) -> AsyncGenerator[None]:
    """While this lasts, let no time pass between attempts, and no account rest."""
    rows = Rows(bench)
    try:
        async with asyncio.TaskGroup() as group:
            # Were it to fail unseen, everything would stand still for hours of backoff.
            hurrying = group.create_task(_hurry(rows))
            yield
            hurrying.cancel()
    finally:
        await rows.close()


async def _hurry(rows: Rows) -> None:
    while True:
        await rows.fetch(
            "UPDATE submission SET due_at = now() WHERE stage = 'waiting' AND due_at > now()"
        )
        await rows.fetch("UPDATE account SET rests_until = NULL WHERE rests_until > now()")
        # Who died with a letter, or did not get its files, is waited for for minutes.
        await rows.fetch("UPDATE letter SET due_at = now() WHERE due_at > now()")
        await asyncio.sleep(0.05)


async def until_settled(rows: Rows, count: int) -> None:
    """Until so many submissions have come to their end, or none does any more."""
    settled = -1
    while True:
        before = settled
        # Slow machines are not failures: only that nothing moves any more is one.
        for _ in range(300):
            for found in await rows.fetch(
                "SELECT count(*) AS settled FROM submission"
                " WHERE state IN ('accepted', 'failed', 'uncertain') AND stage = 'waiting'"
            ):
                settled = found["settled"]
            if settled >= count:
                return
            if settled != before:
                break
            await asyncio.sleep(0.2)
        else:
            left = await rows.fetch(
                "SELECT state, stage, attempts, due_at, piece_count, lease_until FROM submission"
                " WHERE NOT (state IN ('accepted', 'failed', 'uncertain') AND stage = 'waiting')"
                " LIMIT 5"
            )
            accounts = await rows.fetch(
                "SELECT failures, trouble, trouble_said, rests_until, held, now() FROM account"
            )
            raise AssertionError(
                f"{settled} of {count} are settled, and no more will be: {left}, {accounts}\n"
                + "\n".join(sorted(map(_waits, asyncio.all_tasks())))
            )


def _waits(task: asyncio.Task[object]) -> str:
    """What a task waits for, from its beginning to the innermost call."""
    calls: list[str] = []
    inner: object = task.get_coro()
    while isinstance(inner, CoroutineType):
        calls.append(f"{inner.__qualname__}:{inner.cr_frame.f_lineno if inner.cr_frame else '-'}")
        inner = inner.cr_await
    return " > ".join(calls)

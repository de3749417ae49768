"""Whatever fails, and whenever: nothing is lost, and nothing is handed over twice by us."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import pytest

from shared.contracts.mail import Address
from shared.contracts.submission import SubmissionState
from tests.sender.conftest import Bench
from tests.sender.faulty import Fault, FaultyServer, Lot, Phase, lots

_ENVIRONMENT = {
    "SENDER_ATTEMPTS_AT_ONCE_PER_ACCOUNT": "8",
    "SENDER_DOT_SECONDS": "10",
    "LOG_LEVEL": "ERROR",
}
_TEXT = "At noon, where we met last time?\n" * 80


class Killing:
    """A sender that comes back when it dies, and the deaths of those it stands on."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._turn = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._process: asyncio.subprocess.Process | None = None
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
        self._process = await self._stack.enter_async_context(self._bench.process(**_ENVIRONMENT))


async def hurry(bench: Bench) -> None:
    """Let no time pass between attempts, and no account rest."""
    while True:
        with contextlib.suppress(Exception):  # the database may just be dead
            await bench.again(
                "UPDATE submission SET due_at = now() WHERE stage = 'waiting' AND due_at > now()"
            )
            await bench.again("UPDATE account SET rests_until = NULL WHERE rests_until > now()")
        await asyncio.sleep(0.1)


async def the_fates_of(bench: Bench, drawn: list[Lot]) -> None:
    """Send one message for each lot, and hold what became of it against the receiver's book."""
    killing = Killing(bench)
    async with FaultyServer(drawn, killing.kill).running() as server:
        ids: dict[UUID, int] = {}
        async with bench.sender(sending_enabled=False):
            await bench.connect(port=server.port)
            for number in range(len(drawn)):
                command = bench.message(
                    sender=Address("Ada", f"ada+{number}@example.com"), text=_TEXT
                )
                await bench.tell(command)
                ids[command.submission_id] = number
            await bench.until_row("SELECT count(*) = $1 FROM submission", len(drawn))
        hurrying = asyncio.create_task(hurry(bench))
        async with killing.running():
            await _until_settled(bench, len(drawn))
        hurrying.cancel()

        rows = await bench.again(
            "SELECT submission_id, state, reason, due_at, attempts FROM submission"
        )
        handed_over = {
            row["submission_id"]: row["number"]
            for row in await bench.again(
                "SELECT submission_id, count(*) AS number FROM recipient"
                " WHERE handed_over GROUP BY submission_id"
            )
        }
    assert len(rows) == len(drawn)
    states = Counter[str]()
    for row in rows:
        number = ids[row["submission_id"]]
        book, lot = server.books[number], drawn[number]
        states[row["state"]] += 1
        assert book.dots - book.said_later <= 1, f"{lot} was handed over twice"
        match SubmissionState(row["state"]):
            case SubmissionState.ACCEPTED:
                assert book.delivered == 1, lot
            case SubmissionState.FAILED:
                assert book.delivered == 0, lot
                assert row["reason"], lot
            case SubmissionState.UNCERTAIN:
                assert row["due_at"] is None, lot
                assert row["reason"], lot
                assert handed_over[row["submission_id"]] == 1, lot
            case other:
                raise AssertionError(f"{lot} ended as {other}")
    assert states["accepted"] > len(drawn) / 2
    assert states["failed"] >= sum(one.fault is Fault.NEVER for one in drawn) * 0.8
    certain = {Fault.RESET, Fault.HANG_UP, Fault.HALF_ANSWER, Fault.DELIVERED_AND_LOST}
    # Where only the wire failed, and only after the dot, is there doubt; a death adds its own.
    lost_answers = sum(one.phase is Phase.DOT and one.fault in certain for one in drawn)
    assert states["uncertain"] >= lost_answers * 0.8
    assert {one.fault for one in server.met} == {one.fault for one in drawn}
    assert killing.deaths.total() == sum(one.fault.name.startswith("KILL") for one in drawn)


async def _until_settled(bench: Bench, count: int) -> None:
    settled = -1
    while True:
        before = settled
        # Slow machines are not failures: only that nothing moves any more is one.
        for _ in range(600):
            with contextlib.suppress(Exception):
                rows = await bench.again(
                    "SELECT count(*) AS settled FROM submission"
                    " WHERE state IN ('accepted', 'failed', 'uncertain') AND stage = 'waiting'"
                )
                settled = rows[0]["settled"]
            if settled == count:
                return
            if settled != before:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(f"{settled} of {count} are settled, and no more will be")


async def test_whatever_befalls_three_hundred_messages_none_is_lost_and_none_sent_twice(
    bench: Bench,
):
    await the_fates_of(bench, lots(300, seed=1, kills=15))


@pytest.mark.long
async def test_whatever_befalls_ten_thousand_messages_none_is_lost_and_none_sent_twice(
    bench: Bench,
):
    await the_fates_of(bench, lots(10_000, seed=2, kills=60))

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.telemetry import end, until_one_ends

SOON = 0.01  # a cancellation is said again after so long


class Deaf:
    """Work that loses so many cancellations, as `wait_for` of Python 3.11 now and then does."""

    def __init__(self, cancellations: int) -> None:
        self.left = cancellations
        self.begun = asyncio.Event()
        self.ended = False

    async def work(self) -> None:
        self.begun.set()
        try:
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    if not self.left:
                        raise
                    self.left -= 1
        finally:
            self.ended = True


async def fails(after: asyncio.Event) -> None:
    await after.wait()
    raise ValueError("a bug")


@pytest.fixture(autouse=True)
async def _in_time() -> AsyncIterator[None]:
    async with asyncio.timeout(30):
        yield


async def test_work_that_loses_a_cancellation_is_ended_all_the_same() -> None:
    deaf, hearing = Deaf(2), Deaf(0)
    tasks = [asyncio.create_task(each.work()) for each in (deaf, hearing)]
    await deaf.begun.wait()

    await end(tasks, again_seconds=SOON)

    assert all(task.cancelled() for task in tasks)
    assert deaf.ended
    assert hearing.ended


async def test_work_that_puts_its_things_in_order_is_told_once() -> None:
    told = 0
    begun, in_order = asyncio.Event(), asyncio.Event()

    async def orderly() -> None:
        nonlocal told
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told += 1
            in_order.set()
            await asyncio.sleep(0)
            raise

    task = asyncio.create_task(orderly())
    await begun.wait()
    await end([task])

    assert in_order.is_set()
    assert told == 1


async def test_what_was_ended_may_have_failed_and_is_no_matter() -> None:
    now = asyncio.Event()
    now.set()
    task = asyncio.create_task(fails(now))
    await asyncio.wait([task])

    await end([task])

    assert isinstance(task.exception(), ValueError)


async def test_the_first_that_ends_ends_the_others_though_they_lose_their_cancellation() -> None:
    deaf = Deaf(1)

    await until_one_ends(deaf.begun.wait(), deaf.work(), again_seconds=SOON)

    assert deaf.ended


async def test_the_error_that_ended_the_others_is_raised() -> None:
    deaf = Deaf(1)

    with pytest.raises(ValueError, match="a bug"):
        await until_one_ends(deaf.work(), fails(deaf.begun), again_seconds=SOON)

    assert deaf.ended


async def test_all_end_with_the_one_who_waits_for_them() -> None:
    deaf = Deaf(1)
    waiting = asyncio.create_task(until_one_ends(deaf.work(), again_seconds=SOON))
    await deaf.begun.wait()

    await end([waiting])

    assert deaf.ended

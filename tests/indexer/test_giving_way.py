"""Words of a first sync wait while the copy needs the processors, and not longer."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import psutil
import pytest

from services.indexer import subscribers
from services.indexer.actions.giving_way import Copies, GivingWay, rested_seconds
from tests.indexer.mail import a_filled_page, a_message, a_page

TICK = 0.03  # what is waited for a disk is counted anew now and then


class Flow:
    """The numbers of the newest page, look by look; the last one stays."""

    def __init__(self, *numbers: int | None) -> None:
        self._numbers = numbers
        self.looks = 0

    async def last(self) -> int | None:
        number = self._numbers[min(self.looks, len(self._numbers) - 1)]
        self.looks += 1
        return number


def never_rested() -> float:
    return 12.5


@pytest.mark.parametrize(
    ("flow", "looks"),
    [
        (Flow(7, 7), 2),
        (Flow(7, 8, 11, 11), 4),
        (Flow(None), 1),  # the bus does not say: whoever cannot know does not wait
        (Flow(7, 8, None), 3),
    ],
    ids=["nothing flows", "until it pauses", "not known", "known no more"],
)
async def test_a_batch_waits_until_the_flow_pauses(flow: Flow, looks: int) -> None:
    giving_way = GivingWay(
        last_told=flow.last, copies=Copies(), rested=never_rested, most_seconds=600, pause_seconds=0
    )
    async with asyncio.timeout(20), giving_way.turn():
        pass
    assert flow.looks == looks


@pytest.mark.parametrize(
    ("rested", "looks"),
    [(time.monotonic, 6), (lambda: None, 1)],
    ids=["one rests", "the machine does not say"],
)
async def test_nobody_waits_where_a_processor_is_free(rested, looks: int) -> None:
    flow = Flow(*range(1000))
    giving_way = GivingWay(
        last_told=flow.last, copies=Copies(), rested=rested, most_seconds=600, pause_seconds=0
    )
    async with asyncio.timeout(20), giving_way.turn():
        pass
    assert 1 <= flow.looks <= looks


async def test_a_processor_that_rests_for_a_moment_now_and_then_is_not_free() -> None:
    flow = Flow(*range(1000))
    rested, looked = [0.0], [time.monotonic()]

    def every_fourth_time() -> float:
        now = time.monotonic()
        rested.append(rested[-1] + (now - looked[-1] if len(looked) % 4 == 0 else 0.0))
        looked.append(now)
        return rested[-1]

    giving_way = GivingWay(
        last_told=flow.last, copies=Copies(), rested=every_fourth_time, most_seconds=2.0
    )
    async with asyncio.timeout(20), giving_way.turn():
        pass
    assert time.monotonic() - looked[0] >= 2.0


async def test_a_batch_of_a_copy_that_goes_on_for_days_waits_so_long_and_no_longer() -> None:
    flow = Flow(*range(1000))
    giving_way = GivingWay(
        last_told=flow.last, copies=Copies(), rested=never_rested, most_seconds=0.2, pause_seconds=0
    )
    async with asyncio.timeout(20), giving_way.turn():
        pass
    assert 2 <= flow.looks <= 3


async def test_while_the_copy_goes_first_batches_wait_one_after_the_other() -> None:
    flow = Flow(*range(8), 7)
    giving_way = GivingWay(
        last_told=flow.last, copies=Copies(), rested=never_rested, most_seconds=600, pause_seconds=0
    )
    reading = 0

    async def read() -> None:
        nonlocal reading
        async with giving_way.turn():
            reading += 1

    async with asyncio.timeout(20):
        await asyncio.gather(read(), read(), read())
    assert reading == 3
    assert flow.looks == 9 + 1 + 1  # the first until the pause; it lasts


async def test_a_batch_that_fails_lets_the_next_one_go() -> None:
    giving_way = GivingWay(
        last_told=Flow(7).last,
        copies=Copies(),
        rested=never_rested,
        most_seconds=600,
        pause_seconds=0,
    )
    with pytest.raises(LookupError):
        async with giving_way.turn():
            raise LookupError
    async with asyncio.timeout(20), giving_way.turn():
        pass


class Copying(Flow):
    """A flow that never pauses, of copies that sync speaks of at some looks."""

    def __init__(self, copies: Copies, said: dict[int, list[tuple[UUID, int, float | None]]]):
        super().__init__(*range(100_000))
        self._copies = copies
        self._said = said

    async def last(self) -> int | None:
        for account_id, to_come, seconds_left in self._said.get(self.looks, []):
            self._copies.note(account_id, to_come=to_come, seconds_left=seconds_left)
        return await super().last()

    def giving_way(self) -> GivingWay:
        return GivingWay(
            last_told=self.last,
            copies=self._copies,
            rested=never_rested,
            most_seconds=600,
            pause_seconds=0.001,
        )


ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("said", "looks"),
    [
        ({0: [(ONE, 900, None)], 2: [(ONE, 100, 2.0)], 4: [(ONE, 0, None)]}, 5),
        ({0: [(ONE, 9, 5.0), (OTHER, 9, 5.0)], 2: [(ONE, 0, None)], 5: [(OTHER, 0, None)]}, 6),
        ({0: [(ONE, 9, 5.0)], 1: [(OTHER, 9, 5.0)], 2: [(ONE, 9, 1e6)]}, 3),  # it takes for days
    ],
    ids=["one", "the last of two", "until it is known to take longer"],
)
async def test_words_wait_until_the_copies_are_over_and_begin_at_once(said, looks: int) -> None:
    flow = Copying(Copies(), said)
    giving_way = flow.giving_way()
    giving_way._took_seconds = 0.0
    async with asyncio.timeout(20), giving_way.turn():
        pass
    assert flow.looks == looks
    assert not giving_way.is_waiting


async def test_after_the_copies_are_over_no_batch_waits_until_another_begins() -> None:
    flow = Copying(
        Copies(),
        {0: [(ONE, 9, None)], 1: [(ONE, 0, None)], 4: [(OTHER, 9, None)], 6: [(OTHER, 0, 0)]},
    )
    giving_way = flow.giving_way()
    looks: list[int] = []
    async with asyncio.timeout(20):
        for _ in range(4):
            async with giving_way.turn():
                looks.append(flow.looks)
    assert looks == [2, 3, 4, 7]


async def test_copies_without_end_are_waited_for_only_so_long() -> None:
    copies = Copies()
    flow = Copying(copies, {look: [(UUID(int=look), 9, 0.1)] for look in range(1000)})
    giving_way = flow.giving_way()
    giving_way._took_seconds = 0.0
    copies.note(ONE, to_come=9, seconds_left=0.1)
    copies.began_at -= 601
    async with asyncio.timeout(20), giving_way.turn():
        pass
    assert flow.looks == 1


async def test_a_copy_long_after_another_is_waited_for_as_long() -> None:
    copies = Copies()
    copies.note(ONE, to_come=9, seconds_left=0.1)
    copies.began_at -= 601
    copies.note(ONE, to_come=0, seconds_left=None)
    flow = Copying(copies, {0: [(OTHER, 9, 0.1)], 3: [(OTHER, 0, None)]})
    giving_way = flow.giving_way()
    giving_way._took_seconds = 0.0
    async with asyncio.timeout(20), giving_way.turn():
        pass
    assert flow.looks == 4


def test_the_machine_says_how_long_its_processors_rested() -> None:
    before = rested_seconds()
    theirs = psutil.cpu_times()
    after = rested_seconds()
    assert before is not None
    assert after is not None
    assert before - TICK <= theirs.idle + theirs.iowait <= after + TICK


async def test_news_are_found_while_what_was_there_before_us_waits(indexer) -> None:
    going = asyncio.Event()
    asked = asyncio.Event()

    @asynccontextmanager
    async def until_told() -> AsyncIterator[None]:
        asked.set()
        await going.wait()
        yield

    world = replace(indexer.world, turn=until_told)
    old, new = a_message("Lunch of last year"), a_message("Lunch on Friday")
    filling = asyncio.create_task(subscribers.on_messages_filled([a_filled_page(old)], world))
    await asked.wait()
    await subscribers.on_messages_synced([a_page(new)], world)
    assert await indexer.finds("lunch") == [new.message_id]
    going.set()
    await filling
    assert set(await indexer.finds("lunch")) == {old.message_id, new.message_id}

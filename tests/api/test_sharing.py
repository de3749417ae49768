"""What several ask for in one moment is found out once, and never from before they asked."""

import asyncio

from services.api.world import Sharing


class Source:
    """Answers with how often it was asked, when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.begun: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def find(self) -> int:
        self.asked += 1
        number, go = self.asked, asyncio.Event()
        await self.begun.put(go)
        await go.wait()
        return number


async def test_who_asks_while_one_is_asked_shares_the_next_answer() -> None:
    sharing, source = Sharing(), Source()
    first = asyncio.create_task(sharing.anew("x", source.find))
    go_first = await source.begun.get()
    later = [asyncio.create_task(sharing.anew("x", source.find)) for _ in range(5)]
    other = asyncio.create_task(sharing.anew("y", source.find))
    go_other = await source.begun.get()
    go_other.set()
    assert await other == 2, "another question does not wait"
    assert source.begun.empty(), "those who came later wait for the first"
    go_first.set()
    assert await first == 1
    (await source.begun.get()).set()
    assert await asyncio.gather(*later) == [3] * 5
    again = asyncio.create_task(sharing.anew("x", source.find))
    (await source.begun.get()).set()
    assert await again == 4


async def test_who_goes_away_leaves_the_answer_to_the_others() -> None:
    sharing, source = Sharing(), Source()
    first = asyncio.create_task(sharing.anew("x", source.find))
    second = asyncio.create_task(sharing.anew("x", source.find))
    go = await source.begun.get()
    first.cancel()
    go.set()
    assert await second == 1


async def test_a_refusal_is_everybodys_and_is_not_kept() -> None:
    sharing, times = Sharing(), 0

    async def refuse() -> int:
        nonlocal times
        times += 1
        if times == 1:
            raise LookupError
        return times

    answers = await asyncio.gather(
        sharing.anew("x", refuse), sharing.anew("x", refuse), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [LookupError, LookupError]
    assert await sharing.anew("x", refuse) == 2

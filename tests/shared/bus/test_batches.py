"""A batch is what a consumer holds now, on a real server."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig

from shared.bus.batches import Batches, CannotPull
from tests.platform import Platform


class Place:
    """A stream with one consumer, and somebody who asks it."""

    def __init__(self, client: Client, stream: str) -> None:
        self.client = client
        self.stream = stream
        self.js = client.jetstream()

    async def put(self, *words: str) -> None:
        for word in words:
            await self.js.publish(f"{self.stream}.words", word.encode())

    async def until_waiting(self, count: int) -> None:
        async with asyncio.timeout(20):
            while (await self.js.consumer_info(self.stream, "one")).num_waiting != count:
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="session")
async def place(platform: Platform) -> AsyncIterator[Place]:
    stream = f"try-{uuid4().hex[:8]}"
    async with platform.admin_bus() as client:
        js = client.jetstream()
        await js.add_stream(name=stream, subjects=[f"{stream}.>"])
        await js.add_consumer(
            stream, ConsumerConfig(durable_name="one", ack_policy=AckPolicy.EXPLICIT)
        )
        yield Place(client, stream)
        await js.delete_stream(stream)


def words(batch: list[Msg]) -> list[str]:
    return [message.data.decode() for message in batch]


async def test_a_batch_is_what_is_there_and_at_most_so_much(place: Place) -> None:
    await place.put("a", "b", "c", "d", "e")
    async with Batches.of(place.client, stream=place.stream, consumer="one") as batches:
        assert words(await batches.next(3, seconds=5)) == ["a", "b", "c"]
        assert words(await batches.next(3, seconds=5)) == ["d", "e"]
        assert words(await batches.next(3, seconds=0.05)) == []
        asking = asyncio.create_task(batches.next(3, seconds=20))
        await place.until_waiting(1)
        await place.put("f")
        assert words(await asking) == ["f"]


async def test_the_end_of_a_request_that_was_given_up_ends_no_other(place: Place) -> None:
    async with Batches.of(place.client, stream=place.stream, consumer="one") as batches:
        given_up = asyncio.create_task(batches.next(1, seconds=2))
        await place.until_waiting(1)
        given_up.cancel()
        asking = asyncio.create_task(batches.next(50, seconds=600))
        await place.until_waiting(2)
        await place.until_waiting(1)  # the first has ended, and its end was told
        await place.put("late")
        assert words(await asking) == ["late"]
        await place.until_waiting(0)


async def test_what_comes_for_a_request_that_was_given_up_is_not_lost(place: Place) -> None:
    async with Batches.of(place.client, stream=place.stream, consumer="one") as batches:
        given_up = asyncio.create_task(batches.next(2, seconds=600))
        await place.until_waiting(1)
        given_up.cancel()
        await place.put("a", "b", "c")
        got: list[str] = []
        async with asyncio.timeout(20):
            while len(got) < 3:
                got += words(await batches.next(2, seconds=1))
        assert got == ["a", "b", "c"]


async def test_a_consumer_that_goes_away_is_said(place: Place) -> None:
    async with Batches.of(place.client, stream=place.stream, consumer="one") as batches:
        asking = asyncio.create_task(batches.next(3, seconds=600))
        await place.until_waiting(1)
        await place.js.delete_consumer(place.stream, "one")
        with pytest.raises(CannotPull, match="409 Consumer Deleted"):
            await asking
        with pytest.raises(CannotPull, match="503"):
            await batches.next(3, seconds=5)

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse

from services.api.metrics import EVENT_STREAMS
from shared.contracts.account import AccountState
from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person
from tests.api.mail import Ground


@asynccontextmanager
async def stream(
    http: httpx.AsyncClient, *, last: str | None = None, **params: Any
) -> AsyncGenerator["asyncio.Queue[dict[str, Any]]"]:
    """What an event stream says, as it says it."""
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    begun = asyncio.Event()

    async def listen() -> None:
        headers = {"Last-Event-ID": last} if last else {}
        async with aconnect_sse(http, "GET", "/events", params=params, headers=headers) as source:
            begun.set()
            async for event in source.aiter_sse():
                if event.data:
                    said.put_nowait({"sse": (event.id, event.event), **json.loads(event.data)})

    listening = asyncio.create_task(listen())
    await begun.wait()
    try:
        yield said
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def next_of(said: "asyncio.Queue[dict[str, Any]]") -> dict[str, Any]:
    async with asyncio.timeout(5):
        return await said.get()


async def test_a_stream_tells_what_happens_as_it_happens(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with stream(ada.http) as said:
        await asyncio.sleep(0.5)  # heartbeats are no events
        await api.hears(ground.page(ground.message("Now")))
        event = await next_of(said)
        assert event["type"] == "message.received"
        assert event["sse"] == (event["cursor"], "message.received")
        assert event["data"]["subject"] == "Now"

        # An account made while the stream is open is in it.
        await ada.connects()
        assert (await next_of(said))["type"] == "account.created"


async def test_who_comes_again_misses_nothing_and_hears_nothing_twice(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with stream(ada.http) as said:
        await api.hears(ground.page(ground.message("one")))
        last = (await next_of(said))["cursor"]
    await api.hears(ground.page(ground.message("two"), ground.message("three", minutes=1)))
    async with stream(ada.http, last=last, after="latest") as said:
        await api.hears(ground.page(ground.message("four")))
        subjects = [(await next_of(said))["data"]["subject"] for _ in range(3)]
    assert sorted(subjects[:2]) == ["three", "two"]
    assert subjects[2] == "four"


async def test_a_stream_can_begin_at_the_beginning_and_leave_things_out(
    api: Api, ada: Person, ground: Ground
) -> None:
    other = await ada.connects()
    await api.hears(ground.page(ground.message("mine")), other.page(other.message("other")))
    async with stream(ada.http, after="earliest", types="message.received") as said:
        assert {(await next_of(said))["data"]["subject"] for _ in range(2)} == {"mine", "other"}
    account = shown(Kind.ACCOUNT, other.account_id)
    async with stream(ada.http, after="earliest", account_id=account) as said:
        assert [(await next_of(said))["type"] for _ in range(2)] == [
            "account.created",
            "message.received",
        ]


async def test_a_stream_ends_with_its_session(api: Api, ada: Person, ground: Ground) -> None:
    async with aconnect_sse(ada.http, "GET", "/events") as source:
        assert (await ada.http.post("/auth/logout")).status_code == 204
        await api.hears(ground.page(ground.message()))
        async with asyncio.timeout(5):
            assert [event.data async for event in source.aiter_sse() if event.data] == []


async def test_nothing_of_a_stream_is_left_when_its_reader_goes(
    api: Api, ada: Person, ground: Ground
) -> None:
    def streams() -> float:
        return EVENT_STREAMS.collect()[0].samples[0].value

    async with stream(ada.http):
        assert streams() == 1
    async with asyncio.timeout(5):
        while streams():
            await asyncio.sleep(0.01)


async def test_a_page_of_events_goes_on_where_the_last_one_ended(
    api: Api, ada: Person, ground: Ground
) -> None:
    await api.hears(ground.page(*(ground.message(str(n)) for n in range(5))))
    types: list[str] = []
    cursor = "earliest"
    while True:
        page = (await ada.http.get("/events", params={"after": cursor, "limit": 2})).json()
        types += [event["type"] for event in page["items"]]
        cursor = page["next_cursor"]
        if not page["more"]:
            break
    assert types == ["account.created"] + ["message.received"] * 5
    assert await ada.items("/events", after=cursor) == []


async def test_who_waits_for_news_gets_it_when_it_comes(
    api: Api, ada: Person, ground: Ground
) -> None:
    waiting = asyncio.create_task(ada.items("/events", after="latest", wait=10))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await api.hears(ground.is_in(AccountState.LIVE, 1))
    async with asyncio.timeout(5):
        (event,) = await waiting
    assert event["type"] == "account.state_changed"
    assert await ada.items("/events", after="latest", wait=0.1) == []


async def test_a_reader_of_less_sees_increasing_numbers_and_comes_to_the_end(
    api: Api, ada: Person, ground: Ground
) -> None:
    other = await ada.connects()
    for n in range(3):
        await api.hears(ground.page(ground.message(str(n))), other.page(other.message(str(n))))
    account = shown(Kind.ACCOUNT, ground.account_id)
    answer = await ada.http.get("/events", params={"account_id": account})
    page = answer.json()
    numbers = [int(event["cursor"].partition("-")[2]) for event in page["items"]]
    assert numbers == sorted(numbers)
    assert len(numbers) == 4
    assert page["next_cursor"] == "1-8"


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_a_cursor_from_before_a_restore_is_told_so(
    api: Api, ada: Person, ground: Ground, accept: str
) -> None:
    await api.admin.execute("UPDATE api.log_position SET epoch = 2")
    answer = await ada.http.get("/events", headers={"Accept": accept, "Last-Event-ID": "1-1"})
    assert (answer.status_code, answer.json()["code"]) == (410, "log_restarted")

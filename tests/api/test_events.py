import asyncio
import json
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse

from services.api.metrics import EVENT_STREAMS
from shared.contracts.account import AccountState
from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person, running_api
from tests.api.mail import Ground
from tests.platform import Platform


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


@asynccontextmanager
async def raw_stream(http: httpx.AsyncClient, **params: Any) -> AsyncGenerator[AsyncIterator[str]]:
    """An event stream as it is on the wire, a line at a time."""
    headers = {"Accept": "text/event-stream"}
    async with http.stream("GET", "/events", params=params, headers=headers) as answer:
        assert answer.status_code == 200
        yield answer.aiter_lines()


async def test_an_idle_stream_says_that_it_is_alive(api: Api, ada: Person, ground: Ground) -> None:
    async with raw_stream(ada.http) as lines, asyncio.timeout(5):
        alive = 0
        async for line in lines:
            alive += line == ": alive"
            if alive == 3:
                break


async def test_who_asks_for_what_never_happens_comes_again_where_the_log_now_is(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with raw_stream(ada.http, types="account.deleted") as lines, asyncio.timeout(5):
        await api.hears(ground.page(ground.message(), ground.message()))
        async for line in lines:
            assert not line.startswith("data")
            if line == "id: 1-3":
                break


async def test_a_stream_goes_on_after_the_database_was_away(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with stream(ada.http) as said:
        await api.hears(ground.page(ground.message("before")))
        last = (await next_of(said))["cursor"]
        for _ in range(3):
            await api.admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'api%'"
            )
            api.world.growth.grew(ada.tenant_id)
            await asyncio.sleep(0.1)
    # Whether or not the stream outlived it, whoever comes again with its last id misses nothing.
    await api.hears(ground.page(ground.message("after")))
    async with stream(ada.http, last=last) as said:
        assert (await next_of(said))["data"]["subject"] == "after"
    assert EVENT_STREAMS.collect()[0].samples[0].value <= 1


async def test_a_tenant_has_so_many_readers_at_once_and_no_more(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        running_api(platform, seal_directory, event_readers_per_tenant=2) as api,
        api.person() as ada,
        api.person() as eve,
    ):
        async with stream(ada.http), stream(ada.http):
            for params in ({}, {"wait": 1}):
                accept = {} if params else {"Accept": "text/event-stream"}
                answer = await ada.http.get("/events", params=params, headers=accept)
                assert (answer.status_code, answer.json()["code"]) == (429, "too_many_readers")
                assert int(answer.headers["retry-after"]) >= 1
            assert (await ada.http.get("/events")).status_code == 200
            async with stream(eve.http):
                pass
        async with asyncio.timeout(5):
            while (await ada.http.get("/events", params={"wait": 0.01})).status_code == 429:
                await asyncio.sleep(0.05)


async def test_a_reader_who_takes_nothing_costs_no_memory(
    api: Api, ada: Person, ground: Ground
) -> None:
    words = [f"keyword-{n}-{'x' * 60}" for n in range(90)]  # 6 KB each
    for n in range(10):
        state = ground.state(None, *words)
        await api.hears(ground.page(*(ground.message(str(n), state=state) for _ in range(100))))
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1024)
    token = ada.tokens["access_token"]
    writer.write(
        b"GET /api/v1/events?after=earliest HTTP/1.1\r\nHost: localhost\r\n"
        b"Accept: text/event-stream\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    tracemalloc.start()
    await asyncio.sleep(1)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4_000_000  # a page of the log, and not the six megabytes behind it
    taken = 0
    async with asyncio.timeout(20):
        while b"1-1001" not in (chunk := await reader.read(65536)):
            taken += len(chunk)
    assert taken > 5_000_000
    writer.close()

"""Endpoints and streams that fail, hang, lie and vanish, while gateway and bus are killed."""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
from httpx_sse import SSEError, aconnect_sse

from tests.api.conftest import an_account
from tests.api.receiver import OK, answer, receiving
from tests.stories.stack import Stack, running_stack, until

pytestmark = pytest.mark.story

LIE = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nall is w"
FAULTS = (answer("500 Broken"), answer("302 Found", "Location: /"), LIE, b"", b"garbage\r\n\r\n")


def flaky(seed: int) -> Callable[[dict[str, Any]], bytes]:
    """Takes two of three events; each fault is another one."""
    chance = random.Random(seed)
    return lambda event: OK if chance.random() < 0.66 else chance.choice(FAULTS)


async def asked(person: httpx.AsyncClient, method: str, path: str, **more: Any) -> Any:
    """The answer of a gateway that may just have been killed, in the end."""
    while True:
        try:
            said = await person.request(method, path, timeout=10, **more)
        except httpx.HTTPError:
            await asyncio.sleep(0.1)
            continue
        if said.status_code < 500 and said.status_code != 429:
            assert said.is_success, said.text
            return said.json() if said.content else None
        await asyncio.sleep(0.1)


async def the_log(person: httpx.AsyncClient) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    after = "earliest"
    while True:
        page = await asked(person, "GET", "/events", params={"after": after, "limit": 200})
        events += page["items"]
        after = page["next_cursor"]
        if not page["more"]:
            return events


@asynccontextmanager
async def following(person: httpx.AsyncClient) -> AsyncGenerator[list[dict[str, Any]]]:
    """What a stream tells from the beginning on, however often it has to come again."""
    told: list[dict[str, Any]] = []

    async def follow() -> None:
        headers = {"Accept": "text/event-stream"}
        params = {"after": "earliest"}
        while True:
            try:
                async with aconnect_sse(
                    person, "GET", "/events", headers=headers, params=params
                ) as source:
                    async for event in source.aiter_sse():
                        if event.id:
                            headers["Last-Event-ID"] = event.id
                        if event.data:
                            told.append(json.loads(event.data))
            except (httpx.HTTPError, SSEError):
                await asyncio.sleep(0.05)

    running = asyncio.create_task(follow())
    try:
        yield told
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def numbers(events: list[dict[str, Any]]) -> list[int]:
    return [int(event["cursor"].partition("-")[2]) for event in events]


def by_account(events: list[dict[str, Any]], member: str) -> dict[str | None, list[str]]:
    """The ids of each account's events in the order in which they first came."""
    found: dict[str | None, list[str]] = {}
    for event in events:
        found.setdefault(event[member], []).append(event["id"])
    return {account: list(dict.fromkeys(ids)) for account, ids in found.items()}


async def time_passes(stack: Stack) -> None:
    """What waits for its next attempt has waited long enough."""

    async def moved() -> bool:
        try:
            connection = await asyncpg.connect(stack.superuser_url, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        try:
            await connection.execute("UPDATE api.webhook_lane SET due_at = now()")
        finally:
            await connection.close()
        return True

    await until("the clocks are put forward", moved)


@pytest.mark.parametrize(
    ("rounds", "accounts"), [(4, 3), pytest.param(40, 12, marks=pytest.mark.long)]
)
async def test_every_endpoint_and_stream_is_told_everything_whatever_is_killed(
    rounds: int, accounts: int
) -> None:
    async with AsyncExitStack() as kept:
        stack = await kept.enter_async_context(
            running_stack(
                API_WEBHOOK_ALLOW_HTTP="true",
                API_WEBHOOK_SECONDS="2",
                API_WEBHOOK_RETRY_SECONDS="0.1",
            )
        )
        person = await kept.enter_async_context(stack.person())
        receivers = [await kept.enter_async_context(receiving()) for _ in range(4)]
        _, failing, silent, vanished = receivers
        failing.reply = flaky(7)
        silent.says(None)
        vanished.says(b"")
        for receiver in receivers:
            await asked(person, "POST", "/webhooks", json={"url": receiver.url})
        made = [
            await asked(person, "POST", "/accounts", json=an_account()) for _ in range(accounts)
        ]
        ids = [account["id"] for account in made]
        bound = await asked(
            person,
            "POST",
            "/tokens",
            json={"name": "one", "scopes": ["events:read"], "account_ids": ids[:1]},
        )
        partial = await kept.enter_async_context(stack.client())
        partial.headers["Authorization"] = f"Bearer {bound['secret']}"
        whole_told = await kept.enter_async_context(following(person))
        part_told = await kept.enter_async_context(following(partial))

        victims = itertools.cycle(("api", "nats"))
        for turn in range(rounds):
            for n in range(5):
                await asyncio.gather(
                    *(
                        asked(person, "PATCH", f"/accounts/{one}", json={"name": f"{turn}-{n}"})
                        for one in ids
                    )
                )
            victim = next(victims)
            old = stack.pids()[victim]
            stack.kill(victim)

            async def again(victim: str = victim, old: int = old) -> bool:
                return stack.pids().get(victim, old) != old

            await until(f"{victim} is started again", again)
            if turn == rounds // 2:
                silent.says(OK)
                await time_passes(stack)
        vanished.says(OK)
        failing.says(OK)
        # Nothing more is going to happen, so that the log has an end.
        for one in ids:
            await asked(person, "POST", f"/accounts/{one}:pause")
            await asked(person, "PATCH", f"/accounts/{one}", json={"name": "the end"})

        async def all_told() -> bool:
            log = await the_log(person)
            wanted = {event["id"] for event in log}
            await time_passes(stack)
            return (
                all(wanted <= {event["id"] for event in each.taken} for each in receivers)
                and numbers(whole_told)[-1:] == numbers(log)[-1:]
                and bool(part_told)
                and part_told[-1]["id"] == _last_of(log, ids[0])
            )

        await until("everybody has been told everything", all_told, seconds=120)
        log = await the_log(person)
        assert len(log) >= rounds * 5 * accounts

    expected = by_account(log, "account_id")
    for receiver in receivers:
        assert _known(by_account(receiver.taken, "accountid"), log) == expected
    # Of the whole tenant: no number is missing, none comes twice.
    assert numbers(whole_told)[: len(log)] == list(range(1, len(log) + 1))
    # With fewer rights: increasing, and nothing that is not theirs.
    theirs = [event for event in log if event["account_id"] in {ids[0], None}]
    assert numbers(part_told)[: len(theirs)] == numbers(theirs)
    assert {event["account_id"] for event in part_told} <= {ids[0], None}
    assert len(failing.told) > len(failing.taken), "it did fail"
    assert len(silent.told) > len(silent.taken), "it did hang"


def _last_of(log: list[dict[str, Any]], account_id: str) -> str:
    return [event["id"] for event in log if event["account_id"] in {account_id, None}][-1]


def _known(
    told: dict[str | None, list[str]], log: list[dict[str, Any]]
) -> dict[str | None, list[str]]:
    """Without what was logged after we looked."""
    there = {event["id"] for event in log}
    return {
        account: [one for one in ids if one in there]
        for account, ids in told.items()
        if there & set(ids)
    }

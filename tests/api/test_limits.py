"""How much is let through, by one replica and by several together."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from services.api.actions.limiting import Limits
from services.api.domain.limits import Attempts, Limit, Window
from shared.bus import Bus, BusSettings, Values, open_bus
from shared.contracts.ids import Kind, shown
from tests.api.conftest import PASSWORD, running_api
from tests.platform import Platform

NOW = 1_790_000_000.0
SOON = 0.02  # seconds between comparisons
MANY = Limit(name="read", most=100, seconds=3600)
FEW = Limit(name="login", most=5, seconds=60)


@asynccontextmanager
async def replicas(
    platform: Platform, count: int, settle_seconds: float = SOON
) -> AsyncGenerator[list[Limits]]:
    """So many replicas, each with a connection of its own."""
    async with AsyncExitStack() as kept:
        found: list[Limits] = []
        for _ in range(count):
            limits = Limits(Values(await a_bus(kept, platform)), settle_seconds=settle_seconds)
            await kept.enter_async_context(limits.settling())
            found.append(limits)
        yield found


async def a_bus(kept: AsyncExitStack, platform: Platform) -> Bus:
    settings = BusSettings(bus_url=SecretStr(platform.bus_url("api")))
    return await kept.enter_async_context(open_bus(settings, service="api"))


async def test_replicas_together_let_through_the_limit_and_one_intervals_slip(
    platform: Platform,
) -> None:
    # They compare when we say so: what happens in between is one interval.
    async with replicas(platform, 3, settle_seconds=3600) as found:
        through = 0
        slips: list[int] = []
        for _ in range(40):
            standings = [await one.spend(MANY, "ada") for one in found for _ in range(3)]
            let = sum(standing.allowed for standing in standings)
            slips.append(let)
            through += let
            for one in found:
                await one._tell_all()  # pyright: ignore[reportPrivateUsage]
            for one in found:  # the interval is over: who decides next compares before
                for tally in one._tallies.values():  # pyright: ignore[reportPrivateUsage]
                    tally.compared_at = float("-inf")
        assert MANY.most <= through <= MANY.most + max(slips)
        assert through > MANY.most, "what one interval lets slip was not tried"
        assert slips[-1] == 0
        again = await found[0].spend(MANY, "ada")
        assert not again.allowed
        assert (await found[1].spend(MANY, "eve")).left == MANY.most - 1


async def test_what_one_replica_let_through_another_knows_when_it_is_first_asked(
    platform: Platform,
) -> None:
    async with replicas(platform, 2) as (one, other):
        for _ in range(MANY.most):
            assert (await one.spend(MANY, "ada")).allowed
        await one._tell_all()  # pyright: ignore[reportPrivateUsage]
        assert not (await other.spend(MANY, "ada")).allowed


async def test_a_replica_that_ends_tells_what_it_let_through(platform: Platform) -> None:
    async with replicas(platform, 1, settle_seconds=60) as (leaving,):
        for _ in range(MANY.most):
            assert (await leaving.spend(MANY, "ada")).allowed
    async with replicas(platform, 1) as (staying,):
        assert not (await staying.spend(MANY, "ada")).allowed


async def test_guesses_are_counted_exactly_however_many_come_at_once(platform: Platform) -> None:
    async with replicas(platform, 4) as found:
        standings = await asyncio.gather(
            *(one.spend_exactly(FEW, "ada") for one in found for _ in range(10))
        )
        assert sum(standing.allowed for standing in standings) == FEW.most
        refused = next(standing for standing in standings if not standing.allowed)
        assert refused.left == 0
        assert 1 <= refused.retry_after_seconds <= FEW.seconds


async def test_without_nats_a_replica_counts_alone_and_tells_later(platform: Platform) -> None:
    clock = [NOW]
    async with AsyncExitStack() as kept:
        bus = await a_bus(kept, platform)
        away = _Away(bus)
        alone = Limits(Values(away), settle_seconds=SOON, now=lambda: clock[0])  # pyright: ignore[reportArgumentType]
        other = Limits(
            Values(await a_bus(kept, platform)), settle_seconds=SOON, now=lambda: clock[0]
        )
        await other.spend_exactly(FEW, "ada")

        away.is_connected = False
        many = [await alone.spend(MANY, "ada") for _ in range(MANY.most + 1)]
        few = [await alone.spend_exactly(FEW, "ada") for _ in range(3)]
        assert [standing.allowed for standing in many] == [True] * MANY.most + [False]
        assert all(standing.allowed for standing in few)
        assert REGISTRY.get_sample_value("postbus_api_limits_alone") == 1

        away.is_connected = True
        alone._alone_until = 0.0  # pyright: ignore[reportPrivateUsage]  - a second later
        assert (await alone.spend_exactly(FEW, "ada")).left == 0
        assert not (await other.spend_exactly(FEW, "ada")).allowed
        await alone._tell_all()  # pyright: ignore[reportPrivateUsage]
        assert not (await other.spend(MANY, "ada")).allowed
        assert REGISTRY.get_sample_value("postbus_api_limits_alone") == 0


class _Away:
    """A bus that can be away."""

    def __init__(self, bus: Bus) -> None:
        self.js = bus.js
        self.is_connected = True


async def test_when_the_window_is_over_there_is_room_again(platform: Platform) -> None:
    clock = [NOW]
    async with AsyncExitStack() as kept:
        values = Values(await a_bus(kept, platform))
        limits = Limits(values, settle_seconds=SOON, now=lambda: clock[0])
        for _ in range(MANY.most):
            await limits.spend(MANY, "ada")
        assert not (await limits.spend(MANY, "ada")).allowed
        clock[0] += MANY.seconds
        fresh = await limits.spend(MANY, "ada")
        assert (fresh.allowed, fresh.left) == (True, MANY.most - 1)


def test_attempts_come_back_one_by_one() -> None:
    attempts = Attempts()
    for second in range(5):
        attempts = attempts.with_one(NOW + 10 * second)
    standing = attempts.standing(FEW, NOW + 45, allowed=False)
    assert (standing.left, standing.retry_after_seconds) == (0, 15)
    assert len(attempts.lately(FEW, NOW + 60).at) == 4


def test_a_clock_that_was_far_ahead_locks_nobody_out() -> None:
    assert not Window(NOW + 10_000, 100).runs(MANY, NOW)
    assert Attempts((NOW + 10_000,)).lately(FEW, NOW) == Attempts()


@pytest.fixture
def narrow() -> dict[str, Any]:
    return {"reads_per_minute": 4, "writes_per_minute": 2, "searches_per_minute": 1}


async def test_answers_say_what_is_left_and_what_is_over_is_refused(
    platform: Platform, seal_directory: Path, narrow: dict[str, Any]
) -> None:
    async with running_api(platform, seal_directory, **narrow) as api, api.person() as ada:
        answers = [await ada.http.get("/accounts") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429]
        assert '"read";q=4;w=60' in answers[0].headers["ratelimit-policy"]
        assert [_left(answer, "read") for answer in answers] == [3, 2, 1, 0, 0]
        problem = answers[-1].json()
        assert problem["code"] == "rate_limited"
        assert problem["request_id"] == answers[-1].headers["x-request-id"]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60

        # Other kinds, and other people, have limits of their own.
        assert (await ada.http.post("/accounts", json={})).status_code == 422
        async with api.person() as eve:
            assert (await eve.http.get("/accounts")).status_code == 200


async def test_two_replicas_are_one_to_a_person(platform: Platform, seal_directory: Path) -> None:
    async with (
        running_api(platform, seal_directory, writes_per_minute=10) as one,
        running_api(platform, seal_directory, writes_per_minute=10) as other,
        one.person() as ada,
        other.client(Authorization=ada.http.headers["Authorization"]) as elsewhere,
    ):
        for _ in range(10):
            assert (await ada.http.post("/accounts", json={})).status_code == 422
        await one.world.limits._tell_all()  # pyright: ignore[reportPrivateUsage]
        refused = await elsewhere.post("/accounts", json={})
        assert refused.status_code == 429


async def test_so_many_messages_an_hour_and_only_what_is_sent_counts(
    platform: Platform, seal_directory: Path
) -> None:
    async with running_api(platform, seal_directory, sends_per_hour=2) as api, api.person() as ada:
        ground = await ada.connects()
        message = {
            "account_id": shown(Kind.ACCOUNT, ground.account_id),
            "to": ["eve@example.org"],
            "text": "Hello",
        }
        wrong = [await ada.http.post("/submissions", json={}) for _ in range(3)]
        right = [await ada.http.post("/submissions", json=message) for _ in range(3)]
    assert {answer.status_code for answer in wrong} == {422}
    assert [answer.status_code for answer in right] == [202, 202, 429]
    assert right[-1].json()["code"] == "rate_limited"


async def test_signing_in_and_registering_are_limited_by_default(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        running_api(platform, seal_directory, registrations_per_minute=3) as one,
        running_api(platform, seal_directory, registrations_per_minute=3) as other,
        one.client() as here,
        other.client() as there,
    ):
        registered = [
            await client.post(
                "/auth/register", json={"email": f"{n}@example.org", "password": PASSWORD}
            )
            for n, client in enumerate((here, there, here, there))
        ]
        signed_in = [
            await client.post("/auth/login", json={"email": "0@example.org", "password": "wrong"})
            for client in (here, there) * 3
        ]
    assert [answer.status_code for answer in registered] == [201] * 3 + [429]
    assert [answer.status_code for answer in signed_in] == [401] * 5 + [429]
    assert '"register";q=3;w=60' in registered[-1].headers["ratelimit-policy"]


async def test_all_requests_of_one_client_together_are_limited(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        running_api(platform, seal_directory, client_requests_per_minute=3) as narrow,
        narrow.client() as stranger,
    ):
        answers = [await stranger.get("/accounts") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429]


def _left(answer: Any, name: str) -> int:
    for one in answer.headers["ratelimit"].split(", "):
        if one.startswith(f'"{name}"'):
            return int(one.split(";r=")[1].partition(";")[0])
    raise AssertionError(answer.headers["ratelimit"])

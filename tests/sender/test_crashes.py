"""Processes killed, leases lost: nothing is lost, and nothing is sent twice."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.sender import store
from services.sender.actions.attempt_submission import Hand, attempt_submission
from services.sender.actions.claim_due import claim_due
from services.sender.actions.outcomes import Register
from services.sender.actions.remove_account import remove_account
from services.sender.actions.settle_interrupted import settle_interrupted
from services.sender.actions.taking import Due, Terms, take
from services.sender.domain.pace import Limits
from services.sender.domain.submission import Submission
from services.sender.domain.turns import Sender
from services.sender.smtp import Sessions
from services.sender.world import World
from shared.contracts.account import RemoveSender
from shared.contracts.submission import Fate, SubmissionState
from tests.sender.conftest import BOB, EVE, Bench
from tests.sender.scripted import WELCOMING, Does

ACCEPTED = SubmissionState.ACCEPTED
DEFERRED = SubmissionState.DEFERRED
UNCERTAIN = SubmissionState.UNCERTAIN


async def test_killed_after_the_dot_it_is_uncertain_for_those_taken_and_never_sent_again(
    bench: Bench,
):
    bench.server.script["RCPT TO:<eve@"] = "550 5.1.1 nobody here"
    bench.server.does(dot=Does.SILENCE)
    async with bench.process() as process:
        await bench.connect()
        submission_id = await bench.send(BOB, EVE)
        await bench.server.until(dots=1)
        process.kill()
        await process.wait()
    assert await bench.rows.fetchval("SELECT stage FROM submission") == "transmitting"

    bench.server.does(dot="250 ok")
    async with bench.process():
        uncertain = await bench.until(submission_id, UNCERTAIN)
        await bench.until(await bench.send(), ACCEPTED)
    assert [one.fate for one in uncertain.recipients] == [Fate.UNCERTAIN, Fate.REFUSED]
    assert uncertain.reason == "interrupted"
    assert len(bench.server.messages) == 2


@pytest.mark.parametrize("phase", ["greeting", "RCPT"])
async def test_killed_before_the_dot_it_is_sent_once(bench: Bench, phase: str):
    bench.server.does(**{phase: Does.SILENCE})
    async with bench.process() as process:
        await bench.connect()
        submission_id = await bench.send()
        await _until(lambda: bench.server.talks and _is_at(phase, bench))
        process.kill()
        await process.wait()
    assert bench.server.messages == []

    bench.server.does(**{phase: WELCOMING[phase]})
    async with bench.process():
        await bench.until(submission_id, ACCEPTED)
    assert len(bench.server.messages) == 1


async def test_killed_between_body_and_dot_it_is_sent_once(bench: Bench):
    await _frozen(bench)
    async with bench.process(SENDER_LEASE_SECONDS="3") as process, bench.rows.transaction():
        # The commit that the dot waits for waits for this.
        await bench.rows.execute("SELECT 1 FROM recipient FOR UPDATE")
        await _until(lambda: any(talk.body for talk in bench.server.talks))
        process.kill()
        await process.wait()
    assert await bench.rows.fetchval("SELECT stage FROM submission") == "sending"
    assert bench.server.messages == []
    async with bench.process():
        await bench.until(await _only(bench), ACCEPTED)
    assert len(bench.server.messages) == 1


async def test_a_sender_that_is_stopped_gives_back_what_it_had_not_handed_over(bench: Bench):
    await _frozen(bench)
    bench.server.does(DATA=Does.SILENCE)
    async with bench.sender(stop_seconds=0.1):
        await _until(lambda: bench.server.talks and _is_at("DATA", bench))
    row = await bench.rows.fetchrow("SELECT stage, lease_owner, state FROM submission")
    assert tuple(row) == ("waiting", None, "queued")


async def test_a_sender_that_is_stopped_hears_the_answer_to_the_dot_first(bench: Bench):
    await _frozen(bench)
    answer = asyncio.Event()
    bench.server.hold_dot = answer
    async with bench.sender(stop_seconds=10, dot_seconds=10):
        await bench.server.until(dots=1)
        asyncio.get_running_loop().call_later(0.5, answer.set)
    assert await bench.rows.fetchval("SELECT state FROM submission") == "accepted"


async def test_whoever_lost_the_lease_sends_no_dot(bench: Bench):
    async with bench.sender(sending_enabled=False) as world:
        due = await _claimed(bench, world)
        await _left(bench, world, due.submission)
        (taken_over,) = await _claim(world)
        assert taken_over.submission.fence == due.submission.fence + 1

        async with _hand(world) as hand:
            assert await attempt_submission(due, hand) is None
            assert bench.server.messages == []
            assert bench.server.talks[0].body
            after = await attempt_submission(taken_over, hand)
        assert after is not None
        assert after.state is ACCEPTED
    assert len(bench.server.messages) == 1


async def test_the_last_owner_corrects_what_was_believed_of_it(bench: Bench):
    async with bench.sender(sending_enabled=False, dot_seconds=10) as world:
        due = await _claimed(bench, world)
        submission = due.submission
        answer = asyncio.Event()
        bench.server.hold_dot = answer
        async with _hand(world) as hand:
            attempt = asyncio.create_task(attempt_submission(due, hand))
            await bench.server.until(dots=1)
            await _left(bench, world, submission)
            await bench.until(submission.submission_id, UNCERTAIN)
            answer.set()
            after = await attempt
        assert after is not None
        assert after.state is ACCEPTED
        await bench.until(submission.submission_id, ACCEPTED)
    assert bench.states(submission.submission_id) == [
        SubmissionState.QUEUED,
        SubmissionState.SENDING,
        UNCERTAIN,
        ACCEPTED,
    ]


async def test_what_may_have_been_handed_over_is_never_claimed(bench: Bench):
    async with bench.sender(sending_enabled=False) as world:
        submission = (await _claimed(bench, world)).submission
        async with world.pool.acquire() as connection, connection.transaction():
            assert await store.begin_transmitting(
                connection, [store.Mark(submission, [(0, None)])], timedelta(seconds=-1)
            )
        assert await _claim(world) == []
        await settle_interrupted(world.pool)
        assert await _claim(world) == []
        assert await bench.rows.fetchval("SELECT state FROM submission") == "uncertain"


async def test_an_outcome_is_written_when_the_database_is_back(bench: Bench):
    answer = asyncio.Event()
    bench.server.hold_dot = answer
    submission_id = await _frozen(bench)
    async with bench.sender(dot_seconds=30, stop_seconds=20):
        await bench.server.until(dots=1)
        await bench.platform.postgres.kill()
        answer.set()
        await asyncio.sleep(0.5)
        await bench.platform.postgres.start()
        await bench.until(submission_id, ACCEPTED)
    assert len(bench.server.messages) == 1


async def test_what_comes_while_there_is_room_is_in_hand_as_it_is_frozen(bench: Bench):
    begun: list[Due] = []
    async with bench.sender(sending_enabled=False, attempts_at_once_per_account=1) as world:
        await bench.connect()
        world.turns.remove(Sender(bench.tenant_id, bench.account_id))  # it has nothing yet
        world.room.open(begun.append)
        first = await bench.send()
        assert (await bench.until(first, SubmissionState.SENDING)).attempts == 1
        second = await bench.send()
        await bench.until(second, SubmissionState.QUEUED)
        (due,) = begun
        assert (due.submission.submission_id, due.submission.fence) == (first, 1)
        assert due.mime is not None
        stages = await bench.rows.fetch("SELECT submission_id, stage FROM submission")
        assert {row["submission_id"]: row["stage"] for row in stages} == {
            first: "sending",
            second: "waiting",
        }
        # Where somebody waits, it is not the turn of who has just come, whatever room there is.
        world.room.leave(bench.account_id)
        third = await bench.send()
        await bench.until(third, SubmissionState.QUEUED)
        assert len(begun) == 1


async def test_nothing_is_taken_of_an_account_that_is_being_removed_and_no_pace_outlives_it(
    bench: Bench,
):
    sender = Sender(bench.tenant_id, bench.account_id)
    terms = Terms(
        owner=uuid7(), lease=timedelta(seconds=60), per_account=9, limits=Limits(60, None)
    )
    removal = RemoveSender(tenant_id=bench.tenant_id, account_id=bench.account_id)
    async with bench.sender(sending_enabled=False) as world:
        await bench.connect()
        await bench.until(await bench.send(), SubmissionState.QUEUED)
        async with world.pool.acquire() as connection:
            async with connection.transaction():
                taken = await take(connection, {sender: 1}, terms)
                assert len(taken.due) == 1
                removing = asyncio.create_task(remove_account(removal, world.pool))
                await bench.until_row("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
            await removing
            assert await bench.rows.fetchval("SELECT count(*) FROM pace") == 0
            assert not (await take(connection, {sender: 1}, terms)).found


async def _frozen(bench: Bench) -> UUID:
    """A submission that waits, and nobody who sends it."""
    async with bench.sender(sending_enabled=False):
        await bench.connect()
        submission_id = await bench.send()
        await bench.until(submission_id, SubmissionState.QUEUED)
    return submission_id


async def _only(bench: Bench) -> UUID:
    return UUID(str(await bench.rows.fetchval("SELECT submission_id FROM submission")))


async def _claimed(bench: Bench, world: World) -> Due:
    await bench.connect()
    await bench.until(await bench.send(), SubmissionState.QUEUED)
    (due,) = await _claim(world)
    return due


async def _claim(world: World) -> list[Due]:
    async with world.pool.acquire() as connection:
        senders = await store.senders_with_due(connection, 9)
    claimed = await claim_due(
        dict.fromkeys(senders, 9),
        terms=Terms(
            owner=uuid7(),
            lease=timedelta(seconds=60),
            per_account=9,
            limits=Limits(None, None),
        ),
        pool=world.pool,
    )
    return list(claimed.due)


@asynccontextmanager
async def _hand(world: World) -> AsyncGenerator[Hand]:
    settings = world.settings
    sessions = Sessions(
        policy=settings.dial_policy,
        patience=settings.patience,
        helo_name=None,
        idle_seconds=9,
        most_idle=9,
        most_idle_per_server=9,
        limits={},
    )
    yield Hand(
        pool=world.pool,
        keys=world.keys,
        sessions=sessions,
        register=Register(world.pool, timedelta(seconds=60)),
        tokens=world.tokens,
    )
    await sessions.close()


async def _left(bench: Bench, world: World, submission: Submission) -> None:
    """The lease of this one ends, and that is noticed."""
    await bench.rows.execute("UPDATE submission SET lease_until = now() - interval '1 s'")
    await settle_interrupted(world.pool)


def _is_at(phase: str, bench: Bench) -> bool:
    talk = bench.server.talks[-1]
    return phase == "greeting" or bool(talk.said(phase))


async def _until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)

"""Accounts whose provider takes so many messages a day."""

from datetime import UTC, datetime, time, timedelta

from shared.contracts.standing import OwnProfile, SetSenderProfile
from shared.contracts.submission import Fate, SubmissionAction, SubmissionState
from tests.sender.conftest import Bench

ACCEPTED, DEFERRED = SubmissionState.ACCEPTED, SubmissionState.DEFERRED


async def allow(bench: Bench, messages_per_day: int | None, version: int = 1) -> None:
    """Somebody says how many the account's server takes."""
    await bench.tell(
        SetSenderProfile(
            tenant_id=bench.tenant_id,
            account_id=bench.account_id,
            version=version,
            own=OwnProfile(messages_per_day=messages_per_day),
        )
    )
    await bench.until_row("SELECT true FROM account WHERE own_profile_version >= $1", version)


async def test_what_is_more_than_a_day_allows_waits_for_the_next_and_it_is_told(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await allow(bench, 2)
        today = datetime.now(UTC).date()
        for _ in range(2):
            await bench.until(await bench.send(), ACCEPTED)
        third = await bench.until(await bench.send(), DEFERRED)
        fourth = await bench.until(await bench.send(), DEFERRED)
        fifth = await bench.until(await bench.send(), DEFERRED)
    assert {one.reason for one in (third, fourth, fifth)} == {"daily_limit"}
    assert [one.fate for one in third.recipients] == [Fate.DEFERRED]
    assert third.attempts == 0
    midnight = datetime.combine(today, time(), UTC) + timedelta(days=1)
    days = [one.next_attempt_at for one in (third, fourth, fifth)]
    # Tomorrow has two places as well. Where midnight passed meanwhile, all is a day later.
    later = timedelta(days=(datetime.now(UTC).date() - today).days)
    assert days in (
        [midnight, midnight, midnight + timedelta(days=1)],
        [midnight + later, midnight + later, midnight + later + timedelta(days=1)],
    )
    assert len(bench.server.messages) == 2


async def test_where_more_is_allowed_what_waited_goes_at_once(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await allow(bench, 1)
        await bench.until(await bench.send(), ACCEPTED)
        waiting = [await bench.send() for _ in range(3)]
        for one in waiting:
            await bench.until(one, DEFERRED)
        await allow(bench, 3, version=2)
        went = [await bench.until(one, ACCEPTED) for one in waiting[:2]]
        assert all(one.state is ACCEPTED for one in went)
        await allow(bench, 0, version=3)
        await bench.until(waiting[2], ACCEPTED)
    assert len(bench.server.messages) == 4


async def test_a_message_takes_one_place_of_a_day_however_often_it_is_tried(bench: Bench):
    bench.server.does(RCPT="451 4.7.1 Greylisted")
    async with bench.sender() as world:
        await bench.connect()
        await allow(bench, 2)
        first = await bench.send()
        put_off = await bench.until(first, DEFERRED)
        assert put_off.reason != "daily_limit"
        bench.server.does(RCPT="250 2.1.5 ok")
        await bench.rows.execute("UPDATE submission SET due_at = now()")
        world.due.set()
        await bench.until(first, ACCEPTED)
        await bench.until(await bench.send(), ACCEPTED)
        assert (await bench.until(await bench.send(), DEFERRED)).reason == "daily_limit"


async def test_what_waits_for_its_day_can_be_canceled_and_not_be_hurried(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await allow(bench, 1)
        await bench.until(await bench.send(), ACCEPTED)
        waiting = await bench.send()
        told = await bench.until(waiting, DEFERRED)
        hurried = await bench.changes(waiting, SubmissionAction.SEND_NOW)
        again = await bench.until(waiting, DEFERRED, revision=hurried.revision + 1)
        assert again.next_attempt_at == told.next_attempt_at
        answer = await bench.changes(waiting, SubmissionAction.CANCEL)
        assert answer.state is SubmissionState.CANCELED
    assert len(bench.server.messages) == 1


async def test_the_next_day_what_waited_goes(bench: Bench):
    async with bench.sender() as world:
        await bench.connect()
        await allow(bench, 1)
        await bench.until(await bench.send(), ACCEPTED)
        waiting = await bench.send()
        await bench.until(waiting, DEFERRED)
        # A day goes by.
        await bench.rows.execute(
            "UPDATE submission SET day = day - 1, due_at = due_at - interval '1 day'"
        )
        await bench.rows.execute("UPDATE day_use SET day = day - 2 WHERE day = current_date")
        await bench.rows.execute("UPDATE day_use SET day = day - 1 WHERE day > current_date")
        world.due.set()
        await bench.until(waiting, ACCEPTED)


async def test_an_older_word_changes_nothing(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await allow(bench, 5, version=2)
        await bench.tell(
            SetSenderProfile(
                tenant_id=bench.tenant_id,
                account_id=bench.account_id,
                version=1,
                own=OwnProfile(messages_per_day=1),
            )
        )
        for _ in range(2):
            await bench.until(await bench.send(), ACCEPTED)

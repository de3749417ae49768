"""What sender believes once the database came out of a backup."""

from datetime import UTC, datetime, timedelta

import asyncpg

from shared.contracts.submission import Fate, SubmissionAction, SubmissionState
from tests.sender.conftest import Bench

ACCEPTED = SubmissionState.ACCEPTED
SCHEDULED = SubmissionState.SCHEDULED
UNCERTAIN = SubmissionState.UNCERTAIN


def in_(**time: float) -> datetime:
    return datetime.now(UTC) + timedelta(**time)


async def restored(bench: Bench) -> None:
    """As the step of a deploy notes it."""
    admin = await asyncpg.connect(bench.platform.admin_database_url)
    try:
        await admin.execute(
            "INSERT INTO sender.restoration (restoration_id) VALUES (gen_random_uuid()::text)"
        )
    finally:
        await admin.close()


async def test_what_was_due_before_a_restore_waits_for_a_human(bench: Bench):
    async with bench.sender():
        await bench.connect()
        due = await bench.send(send_at=in_(hours=1))
        later = await bench.send(send_at=in_(hours=2))
        await bench.until(due, SCHEDULED)
        await bench.until(later, SCHEDULED)
    await bench.rows.execute(
        "UPDATE submission SET due_at = now() - interval '1 min' WHERE submission_id = $1", due
    )
    await restored(bench)
    async with bench.sender():
        doubted = await bench.until(due, UNCERTAIN)
        assert doubted.reason == "restored"
        assert [one.fate for one in doubted.recipients] == [Fate.UNCERTAIN]
        await bench.changes(later, SubmissionAction.SEND_NOW)
        await bench.until(later, ACCEPTED)
        assert len(bench.server.messages) == 1  # the later one alone

        refused = await bench.changes(due, SubmissionAction.RETRY)
        assert refused.change_refused == "may_arrive_twice"
        await bench.changes(due, SubmissionAction.RETRY, may_arrive_twice=True)
        await bench.until(due, ACCEPTED)
    assert len(bench.server.messages) == 2


async def test_what_was_in_somebodys_hand_at_the_backup_is_doubted_at_once(bench: Bench):
    async with bench.sender():
        await bench.connect()
        taken = await bench.send(send_at=in_(hours=1))
        await bench.until(taken, SCHEDULED)
    await bench.rows.execute(
        """
        UPDATE submission SET state = 'sending', stage = 'transmitting', lease_owner = $2,
                              lease_until = now() + interval '1 hour'
         WHERE submission_id = $1
        """,
        taken,
        taken,
    )
    await restored(bench)
    async with bench.sender():
        assert (await bench.until(taken, UNCERTAIN)).reason == "restored"
        sought = await bench.rows.fetchval(
            "SELECT seek_at IS NOT NULL FROM submission WHERE submission_id = $1", taken
        )
        assert sought  # what traces tell settles it
    assert bench.server.messages == []


async def test_a_restore_is_settled_once(bench: Bench):
    await restored(bench)
    async with bench.sender():
        await bench.connect()
    async with bench.sender():
        sent = await bench.send()
        await bench.until(sent, ACCEPTED)
    left = await bench.again("SELECT 1 FROM restoration WHERE settled_at IS NULL")
    assert left == []


async def test_a_command_of_before_a_restore_sends_nothing(bench: Bench):
    async with bench.sender():
        await bench.connect()
        kept = await bench.send(send_at=in_(hours=1))
        await bench.until(kept, SCHEDULED)
    await restored(bench)
    before = in_(hours=-1)
    async with bench.sender():
        given = await bench.send(occurred_at=before)
        enclosed = await bench.send(occurred_at=before, enclosures=(bench.enclosing(b"report"),))
        for one in (given, enclosed):
            assert (await bench.until(one, UNCERTAIN)).reason == "restored"
        hastened = await bench.changes(kept, SubmissionAction.SEND_NOW, occurred_at=before)
        assert hastened.change_refused == "restored"
        await bench.until_row(
            "SELECT piece_count > 0 FROM submission WHERE submission_id = $1", enclosed
        )
        assert bench.server.messages == []
        # It is all there to be sent, once somebody says so.
        for one in (given, enclosed):
            await bench.changes(one, SubmissionAction.RETRY, may_arrive_twice=True)
            await bench.until(one, ACCEPTED)
    assert len(bench.server.messages) == 2

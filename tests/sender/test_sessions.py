"""Sessions that are kept, servers that have enough of one, accounts that rest, and paces."""

import asyncio
from itertools import pairwise
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from shared.contracts.account import HoldSender, SendingChanged, SendingState
from shared.contracts.envelope import decode
from shared.contracts.mail import Address
from shared.contracts.submission import SubmissionAction, SubmissionState
from tests.sender.conftest import BOB, Bench
from tests.sender.scripted import Does

ACCEPTED = SubmissionState.ACCEPTED
DEFERRED = SubmissionState.DEFERRED


async def sent(bench: Bench, count: int) -> list[UUID]:
    """Send so many, one after another."""
    ids = []
    for _ in range(count):
        ids.append(await bench.send())
        await bench.until(ids[-1], ACCEPTED)
    return ids


async def test_one_session_serves_one_message_after_another(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await sent(bench, 3)
    (talk,) = bench.server.talks
    assert len(talk.said("AUTH")) == 1
    assert len(talk.said("RSET")) == 2
    assert len(talk.messages) == 3
    assert talk.commands[-1] == "QUIT"  # as the sender stopped


async def test_a_session_that_nobody_uses_is_left(bench: Bench):
    async with bench.sender(session_idle_seconds=0):
        await bench.connect()
        await sent(bench, 1)
        async with asyncio.timeout(20):
            while not bench.server.talks[0].said("QUIT"):
                await asyncio.sleep(0.02)
        await sent(bench, 1)
    assert len(bench.server.talks) == 2


async def test_a_session_that_the_server_ended_costs_no_message_an_attempt(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await sent(bench, 1)
        bench.server.does(RSET=Does.CUT)
        (submission_id,) = await sent(bench, 1)
    assert len(bench.server.talks) == 2
    assert DEFERRED not in bench.states(submission_id)


async def test_new_settings_are_another_session(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await sent(bench, 1)
        await bench.connect(username="grace")
        await sent(bench, 1)
    assert [len(talk.messages) for talk in bench.server.talks] == [1, 1]


async def test_of_those_that_are_kept_with_one_server_the_oldest_makes_room(bench: Bench):
    async with bench.sender(sessions_idle_per_server=2):
        for username in ("ada", "grace", "mary"):  # each is another login
            await bench.connect(username=username)
            await sent(bench, 1)
        first, *others = bench.server.talks
        async with asyncio.timeout(20):
            while not first.said("QUIT"):
                await asyncio.sleep(0.02)
        assert [len(one.said("QUIT")) for one in others] == [0, 0]


async def test_how_many_messages_a_server_takes_in_a_session_is_learnt_from_its_words(
    bench: Bench,
):
    bench.server.most_messages = 2, "452 4.5.3 too many messages in this session"
    async with bench.sender():
        await bench.connect()
        ids = await sent(bench, 5)
        assert await bench.rows.fetchval("SELECT messages_per_session FROM submission_server") == 2
    assert all(DEFERRED not in bench.states(one) for one in ids)
    assert [len(talk.messages) for talk in bench.server.talks] == [2, 2, 1]
    # The first had to be told; of the second it was known, and also after a restart.
    assert [len(talk.said("MAIL")) for talk in bench.server.talks] == [3, 2, 1]
    async with bench.sender():
        await sent(bench, 3)
    assert [len(talk.said("MAIL")) for talk in bench.server.talks[3:]] == [2, 1]


async def test_a_421_is_believed_to_be_a_limit_when_it_comes_at_the_same_number_again(
    bench: Bench,
):
    bench.server.most_messages = 3, "421 4.3.2 closing"
    async with bench.sender():
        await bench.connect()
        ids = await sent(bench, 10)
    assert all(DEFERRED not in bench.states(one) for one in ids)
    assert [len(talk.said("MAIL")) for talk in bench.server.talks] == [4, 4, 3, 1]
    assert await bench.rows.fetchval("SELECT messages_per_session FROM submission_server") == 3


async def test_an_account_whose_password_is_refused_rests_and_nothing_else_of_it_is_tried(
    bench: Bench,
):
    bench.server.does(AUTH="535 5.7.8 no")
    told: list[SendingChanged] = []
    async with bench.platform.admin_bus() as bus:
        heard = await bus.subscribe("mail.sending.changed")
        async with bench.sender(attempts_at_once_per_account=1):
            await bench.connect()
            first = await bench.send()
            deferred = await bench.until(first, DEFERRED)
            assert deferred.reason == "auth_failed"
            told.append(decode((await heard.next_msg(timeout=20)).data, SendingChanged))
            others = [await bench.send() for _ in range(5)]
            for one in others:
                await bench.until(one, SubmissionState.QUEUED)
            assert await bench.rows.fetchval("SELECT rests_until > now() FROM account")
            assert len(bench.server.talks) == 1

            bench.server.does(AUTH="235 2.7.0 welcome")
            await bench.connect(password="a new one")
            for one in (first, *others):
                await bench.until(one, ACCEPTED)
            told.append(decode((await heard.next_msg(timeout=20)).data, SendingChanged))
    assert [(one.state, one.reason) for one in told] == [
        (SendingState.AUTH_FAILED, "auth_failed"),
        (SendingState.READY, None),
    ]
    assert told[0].server_said == "no"
    assert told[0].retry_at is not None
    assert told[1].revision > told[0].revision


async def test_what_a_suspended_tenant_sends_waits_until_it_goes_on(bench: Bench):
    def holding(version: int, *, held: bool) -> HoldSender:
        return HoldSender(
            tenant_id=bench.tenant_id, account_id=bench.account_id, version=version, held=held
        )

    told: list[SendingChanged] = []
    async with bench.platform.admin_bus() as bus, bench.sender():
        heard = await bus.subscribe("mail.sending.changed")
        await bench.tell(holding(3, held=True))  # before the account itself has come
        await bench.connect()
        told.append(decode((await heard.next_msg(timeout=60)).data, SendingChanged))
        ids = [await bench.send() for _ in range(3)]
        for one in ids:
            await bench.until(one, SubmissionState.QUEUED)
        await bench.tell(holding(2, held=False))  # late
        await bench.connect()  # new settings do not let it go on
        assert bench.server.talks == []
        assert await bench.rows.fetchval("SELECT bool_and(attempts = 0) FROM submission")
        await bench.tell(holding(4, held=False))
        for one in ids:
            await bench.until(one, ACCEPTED)
        told.append(decode((await heard.next_msg(timeout=60)).data, SendingChanged))
    assert [(one.state, one.reason) for one in told] == [
        (SendingState.SUSPENDED, "tenant_suspended"),
        (SendingState.READY, None),
    ]
    assert told[0].revision < told[1].revision


async def test_how_the_server_served_a_suspended_tenant_last_is_told_when_it_goes_on(
    bench: Bench,
):
    bench.server.does(AUTH="535 5.7.8 no")
    async with bench.platform.admin_bus() as bus, bench.sender():
        heard = await bus.subscribe("mail.sending.changed")
        await bench.connect()
        await bench.until(await bench.send(), DEFERRED)
        for version, held in ((1, True), (2, True), (3, False)):
            await bench.tell(
                HoldSender(
                    tenant_id=bench.tenant_id,
                    account_id=bench.account_id,
                    version=version,
                    held=held,
                )
            )
            await bench.until_row("SELECT true FROM account WHERE hold_version = $1", version)
        states = [
            decode((await heard.next_msg(timeout=60)).data, SendingChanged).state for _ in range(3)
        ]
    assert states == [SendingState.AUTH_FAILED, SendingState.SUSPENDED, SendingState.AUTH_FAILED]


async def test_after_its_rest_one_message_sees_whether_the_server_serves_again(bench: Bench):
    bench.server.does(greeting="554 no service")
    async with bench.sender(sending_enabled=False):
        await bench.connect()
        for _ in range(4):
            await bench.until(await bench.send(), SubmissionState.QUEUED)
    async with bench.sender(attempts_at_once_per_account=1):
        await bench.until_row("SELECT failures = 1 FROM account")
    async with bench.sender(attempts_at_once_per_account=4):
        await bench.rows.execute("UPDATE account SET rests_until = now()")
        await bench.until_row("SELECT failures = 2 FROM account")
    assert len(bench.server.talks) == 2
    assert await bench.rows.fetchval("SELECT trouble FROM account") == "not_served"


@pytest.mark.parametrize("action", [SubmissionAction.SEND_NOW, SubmissionAction.RETRY])
async def test_whoever_wants_a_message_sent_now_has_a_resting_server_asked(
    bench: Bench, action: SubmissionAction
):
    async with bench.sender():
        await bench.connect()
        bench.server.does(RCPT="550 5.1.1 nobody")
        failed = await bench.send()
        await bench.until(failed, SubmissionState.FAILED)
        bench.server.does(greeting="554 no service", RSET=Does.CUT)
        waiting = await bench.send()
        await bench.until(waiting, DEFERRED)
        await bench.until_row("SELECT rests_until > now() FROM account")
        bench.server.does(greeting="220 mx.example ESMTP", RCPT="250 2.1.5 ok")
        wanted = waiting if action is SubmissionAction.SEND_NOW else failed
        await bench.changes(wanted, action)
        await bench.until(wanted, ACCEPTED)


async def test_an_account_sends_no_faster_than_it_may(bench: Bench):
    async with bench.sender(messages_per_minute_per_account=60, attempts_at_once_per_account=9):
        await bench.connect()
        ids = [await bench.send() for _ in range(4)]
        for one in ids:
            await bench.until(one, ACCEPTED)
    rows = await bench.rows.fetch("SELECT began_at FROM attempt ORDER BY began_at")
    gaps = [
        (after["began_at"] - before["began_at"]).total_seconds() for before, after in pairwise(rows)
    ]
    assert min(gaps) > 0.5
    assert await bench.rows.fetchval("SELECT max(attempts) FROM submission") == 1


async def test_a_domain_gets_no_more_than_it_may_and_others_do_not_wait_for_it(bench: Bench):
    async with bench.sender(messages_per_minute_per_domain=1):
        await bench.connect()
        first = await bench.send(BOB)
        second = await bench.send(BOB)
        other = await bench.send(Address("", "eve@example.net"))
        for one in (first, other):
            await bench.until(one, ACCEPTED)
        await bench.until_row("SELECT count(slot_at) = 1 FROM submission")
    row = await bench.rows.fetchrow(
        """
        SELECT state, attempts, slot_at > now() + interval '30 s' AS waits FROM submission
         WHERE submission_id = $1
        """,
        second,
    )
    assert tuple(row) == ("queued", 0, True)


async def test_what_is_due_in_future_is_sent_at_its_moment_also_after_downtime(bench: Bench):
    async with bench.sender(poll_seconds=60) as world:
        await bench.connect()
        await bench.rows.execute("SELECT 1")
        bench.server.does(MAIL="450 4.2.1 later")
        submission_id = await bench.send()
        await bench.until(submission_id, DEFERRED)
        bench.server.does(MAIL="250 ok")
        await bench.rows.execute("UPDATE submission SET due_at = now() + interval '1.5 s'")
        world.due.set()
    await asyncio.sleep(2)
    assert len(bench.server.messages) == 0
    async with bench.sender(poll_seconds=60):
        await bench.until(submission_id, ACCEPTED)


async def test_a_tenant_with_thousands_waiting_does_not_delay_the_single_message_of_another(
    bench: Bench,
):
    small_tenant, small_account = uuid7(), uuid7()
    async with bench.sender(sending_enabled=False):
        await bench.connect()
        await bench.until(await bench.send(), SubmissionState.QUEUED)
        # As many as would take long, made from the first.
        await bench.rows.execute(
            """
            WITH many AS (
                INSERT INTO submission (submission_id, tenant_id, account_id, state,
                       message_id_header, sender_email, size_bytes, piece_count, needs_smtputf8,
                       due_at)
                SELECT gen_random_uuid(), tenant_id, account_id, state, message_id_header,
                       sender_email, size_bytes, piece_count, needs_smtputf8,
                       due_at - n * interval '1 ms'
                  FROM submission, generate_series(1, 5000) AS n
                RETURNING submission_id, tenant_id, account_id
            ), people AS (
                INSERT INTO recipient (submission_id, number, tenant_id, account_id, email)
                SELECT submission_id, 0, tenant_id, account_id, 'bob@example.org' FROM many
            )
            INSERT INTO mime_piece (submission_id, number, tenant_id, account_id, data)
            SELECT submission_id, 0, tenant_id, account_id, E'Subject: bulk\\r\\n' FROM many
            """
        )
        bench.tenant_id, bench.account_id = small_tenant, small_account
        await bench.connect()
    async with bench.sender(attempts_at_once_per_account=10, attempts_at_once=10):
        await bench.server.until(dots=50)
        single = await bench.send()
        await bench.until(single, ACCEPTED)
        before = len(bench.server.messages)
    assert before < 1000  # of the 5,000 that came first

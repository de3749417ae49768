import asyncio
from email import message_from_bytes
from email.policy import default
from uuid import UUID

import asyncpg
import pytest

from shared.contracts.account import RemoveSender
from shared.contracts.envelope import Caller, decode, encode
from shared.contracts.mail import Address
from shared.contracts.submission import (
    Fate,
    ReadSubmissionMime,
    SentCopyFiled,
    SubmissionMime,
    SubmissionState,
)
from shared.seal import KeysUnusable, new_key
from tests.sender.conftest import BOB, EVE, PASSWORD, Bench
from tests.sender.scripted import Does

ACCEPTED = SubmissionState.ACCEPTED
DEFERRED = SubmissionState.DEFERRED
SENDING = SubmissionState.SENDING
UNCERTAIN = SubmissionState.UNCERTAIN


async def test_a_message_is_sent_and_every_step_is_told(bench: Bench):
    async with bench.sender():
        await bench.connect()
        submission_id = await bench.send(BOB, bcc=(EVE,))
        accepted = await bench.until(submission_id, ACCEPTED)
        filing = await bench.until_filing()

    assert bench.states(submission_id) == [SubmissionState.QUEUED, SENDING, ACCEPTED]
    assert [one.revision for one in bench.told] == [1, 2, 3]
    assert accepted.attempts == 1
    assert [(one.email, one.fate) for one in accepted.recipients] == [
        ("bob@example.org", Fate.ACCEPTED),
        ("eve@example.net", Fate.ACCEPTED),
    ]
    assert accepted.recipients[0].server_said == "taken as 12345"
    (raw,) = bench.server.messages
    assert b"eve" not in raw
    message = message_from_bytes(raw, policy=default)
    assert message["Subject"] == "Lunch"
    assert message["Message-ID"] == f"<{accepted.message_id}>"
    assert (filing.submission_id, filing.message_id) == (submission_id, accepted.message_id)
    assert filing.size_bytes == len(raw)
    assert len(bench.filings) == 1


async def test_a_command_that_comes_twice_sends_once(bench: Bench):
    async with bench.sender():
        await bench.connect()
        command = bench.message()
        await bench.tell(command)
        await bench.tell(command)
        await bench.until(command.submission_id, ACCEPTED)
        await bench.tell(command)
        other = await bench.send()
        await bench.until(other, ACCEPTED)
    assert bench.states(command.submission_id) == [SubmissionState.QUEUED, SENDING, ACCEPTED]
    assert len(bench.server.messages) == 2


async def test_a_message_that_overtakes_its_account_waits_for_it(bench: Bench):
    async with bench.sender():
        submission_id = await bench.send()
        await asyncio.sleep(0.3)
        await bench.connect()
        await bench.until(submission_id, ACCEPTED)


async def test_the_frozen_bytes_are_read_by_those_who_may_see_the_account(bench: Bench):
    text = "0123456789 abcdefgh\n" * 40_000  # 800 KB, four pieces
    async with bench.sender() as world:
        await bench.connect()
        submission_id = await bench.send(text=text)
        await bench.until(submission_id, ACCEPTED)

        async def ask(piece: int, caller: Caller) -> SubmissionMime:
            query = ReadSubmissionMime(caller=caller, submission_id=submission_id, piece=piece)
            reply = await asker.request(query.channel, encode(query), timeout=5)
            return decode(reply.data, SubmissionMime)

        caller = Caller(tenant_id=bench.tenant_id, account_ids=(bench.account_id,))
        async with bench.platform.admin_bus() as asker:
            first = await ask(0, caller)
            pieces = [first.data] + [(await ask(n, caller)).data for n in range(1, first.pieces)]
            assert first.pieces >= 4
            assert b"".join(pieces) == bench.server.messages[0]
            for stranger in (
                Caller(tenant_id=bench.tenant_id, account_ids=()),
                Caller(tenant_id=bench.tenant_id, account_ids=(UUID(int=1),)),
                Caller(tenant_id=UUID(int=1), account_ids=(bench.account_id,)),
            ):
                refused = await ask(0, stranger)
                assert refused.problem is not None
                assert refused.problem.code == "not_found"
            beyond = await ask(first.pieces, caller)
            assert beyond.problem is not None
        assert world.settings.sending_enabled


async def test_recipients_fare_apart_and_only_the_deferred_are_tried_again(bench: Bench):
    bench.server.script["RCPT TO:<eve@"] = "550 5.1.1 nobody here"
    bench.server.script["RCPT TO:<dan@"] = "450 4.2.1 busy"
    async with bench.sender():
        await bench.connect()
        submission_id = await bench.send(BOB, EVE, Address("", "dan@example.com"))
        first = await bench.until(submission_id, DEFERRED)
        assert [one.fate for one in first.recipients] == [
            Fate.ACCEPTED,
            Fate.REFUSED,
            Fate.DEFERRED,
        ]
        assert first.next_attempt_at is not None
        await bench.until_filing()

        del bench.server.script["RCPT TO:<dan@"]
        await bench.rows.execute("UPDATE submission SET due_at = now()")
        last = await bench.until(submission_id, SubmissionState.PARTIALLY_ACCEPTED)

    assert [one.fate for one in last.recipients] == [Fate.ACCEPTED, Fate.REFUSED, Fate.ACCEPTED]
    assert last.recipients[1].enhanced_code == "5.1.1"
    (talk,) = bench.server.talks  # the session was kept
    assert talk.said("RCPT")[3:] == ["RCPT TO:<dan@example.com>"]
    assert len(bench.filings) == 1
    log = await bench.rows.fetch("SELECT number, state, phase FROM attempt ORDER BY number")
    assert [tuple(row) for row in log] == [
        (1, "deferred", "done"),
        (2, "partially_accepted", "done"),
    ]


async def test_a_refused_message_fails_with_the_servers_words(bench: Bench):
    bench.server.does(dot="554 5.7.1 this is spam")
    async with bench.sender():
        await bench.connect()
        submission_id = await bench.send()
        failed = await bench.until(submission_id, SubmissionState.FAILED)
    assert failed.server_said == "this is spam"
    assert failed.recipients[0].code == 554
    assert bench.filings == []


@pytest.mark.parametrize("does", [Does.CUT, Does.SILENCE, "354 what?"])
async def test_silence_after_the_dot_is_uncertain_and_never_sent_again(
    bench: Bench, does: str | Does
):
    bench.server.does(dot=does)
    async with bench.sender(dot_seconds=0.5):
        await bench.connect()
        submission_id = await bench.send()
        uncertain = await bench.until(submission_id, UNCERTAIN)
        assert uncertain.next_attempt_at is None
        bench.server.does(dot="250 ok")
        await bench.until(await bench.send(), ACCEPTED)
        assert await bench.rows.fetchval(
            "SELECT due_at IS NULL FROM submission WHERE submission_id = $1", submission_id
        )
    assert len(bench.server.messages) == 2


async def test_what_cannot_be_sent_has_failed_and_says_why(bench: Bench):
    async with bench.sender():
        await bench.connect()
        for differently, reason in (
            ({"to": (Address("", "no address\x00"),)}, "invalid_address"),
            ({"subject": "x\r\nBcc: eve@example.net"}, "invalid_header"),
        ):
            submission_id = await bench.send(**differently)
            failed = await bench.until(submission_id, SubmissionState.FAILED)
            assert failed.reason == reason
            assert failed.revision == 1
    assert bench.server.talks == []


async def test_a_wrong_password_puts_off_and_a_new_one_sends_at_once(bench: Bench):
    bench.server.does(AUTH="535 5.7.8 wrong password")
    async with bench.sender():
        await bench.connect()
        submission_id = await bench.send()
        deferred = await bench.until(submission_id, DEFERRED)
        assert (deferred.reason, deferred.server_said) == ("auth_failed", "wrong password")
        bench.server.does(AUTH="235 2.7.0 ok")
        await bench.connect()
        await bench.until(submission_id, ACCEPTED)


async def test_an_unreachable_server_puts_off(bench: Bench):
    async with bench.sender():
        await bench.connect(port=1)
        deferred = await bench.until(await bench.send(), DEFERRED)
    assert deferred.reason == "connect_refused"


async def test_a_password_is_not_carried_to_another_server(bench: Bench):
    async with bench.sender():
        await bench.connect(sealed_for=bench.endpoint(host="mx.example.com"))
        deferred = await bench.until(await bench.send(), DEFERRED)
    assert deferred.reason == "credential_unusable"
    assert bench.server.talks == []


async def test_the_newest_settings_count_whatever_order_they_come_in(bench: Bench):
    async with bench.sender():
        await bench.tell(bench.connecting(version=7))
        await bench.tell(bench.connecting(version=3, port=1))
        await bench.until(await bench.send(), ACCEPTED)
        assert await bench.rows.fetchval("SELECT version FROM account") == 7


async def test_switched_off_everything_waits_and_nothing_is_lost(bench: Bench):
    async with bench.sender(sending_enabled=False):
        await bench.connect()
        submission_id = await bench.send()
        await bench.until(submission_id, SubmissionState.QUEUED)
    assert bench.server.talks == []
    async with bench.sender():
        await bench.until(submission_id, ACCEPTED)


async def test_a_removed_account_cancels_what_waits_and_leaves_no_row_and_no_secret(bench: Bench):
    bench.server.does(MAIL="450 4.2.1 later")
    remove = RemoveSender(tenant_id=bench.tenant_id, account_id=bench.account_id)
    async with bench.sender():
        await bench.connect()
        submission_id = await bench.send()
        await bench.until(submission_id, DEFERRED)
        await bench.tell(remove)
        canceled = await bench.until(submission_id, SubmissionState.CANCELED)
        assert canceled.recipients[0].fate is Fate.CANCELED

        await bench.tell(bench.connecting())
        late = await bench.send()
        told = await bench.until(late, SubmissionState.CANCELED)
        assert told.reason == "account_removed"

    for table in ("submission", "recipient", "attempt", "mime_piece"):
        assert await bench.rows.fetchval(f"SELECT count(*) FROM {table}") == 0
    row = await bench.rows.fetchrow("SELECT sealed, host, removed_at FROM account")
    assert (row["sealed"], row["host"]) == (None, None)
    assert row["removed_at"] is not None


async def test_an_account_removed_while_its_message_is_on_the_wire_lets_it_end(bench: Bench):
    bench.server.does(dot=Does.SILENCE)
    async with bench.sender(dot_seconds=1.5):
        await bench.connect()
        submission_id = await bench.send()
        await bench.server.until(dots=1)
        await bench.tell(RemoveSender(tenant_id=bench.tenant_id, account_id=bench.account_id))
        await bench.until_row("SELECT removed_at IS NOT NULL FROM account")
        await bench.until(submission_id, UNCERTAIN)
    assert SubmissionState.CANCELED not in bench.states(submission_id)
    async with bench.sender():  # tidies up as it starts
        await bench.until_row("SELECT count(*) = 0 FROM submission")


async def test_a_filed_copy_is_told_once_and_the_bytes_go_in_time(bench: Bench):
    async with bench.sender(mime_kept_days=0):
        await bench.connect()
        submission_id = await bench.send()
        await bench.until(submission_id, ACCEPTED)
        filed = SentCopyFiled(
            tenant_id=bench.tenant_id,
            account_id=bench.account_id,
            submission_id=submission_id,
            appended=True,
        )
        await bench.tell(filed)
        await bench.tell(filed)
        told = await bench.until(submission_id, ACCEPTED, revision=4)
        assert told.filed
        assert await bench.rows.fetchval("SELECT count(*) FROM mime_piece") == 1
    async with bench.sender(mime_kept_days=0):
        await bench.until_row("SELECT count(*) = 0 FROM mime_piece")
    assert [one.revision for one in bench.told] == [1, 2, 3, 4]


async def test_an_account_sends_no_more_at_a_time_than_it_may(bench: Bench):
    bench.server.does(dot=Does.SILENCE)
    async with bench.sender(attempts_at_once_per_account=2, dot_seconds=1):
        await bench.connect()
        for _ in range(5):
            await bench.send()
        await bench.server.until(dots=2)
        busy = await bench.rows.fetchval("SELECT count(*) FROM submission WHERE stage <> 'waiting'")
        assert busy == 2
        assert len(bench.server.messages) == 2


async def test_two_senders_send_everything_once(bench: Bench):
    async with (
        bench.sender(attempts_at_once_per_account=20),
        bench.sender(attempts_at_once_per_account=20),
    ):
        await bench.connect()
        ids = [await bench.send() for _ in range(40)]
        for submission_id in ids:
            await bench.until(submission_id, ACCEPTED)
    assert len(bench.server.messages) == 40


async def test_no_password_is_in_the_database_or_on_the_bus(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await bench.until(await bench.send(), ACCEPTED)
    rows = await bench.rows.fetch("SELECT account::text AS row FROM account")
    assert PASSWORD not in str(rows)
    assert PASSWORD not in str(bench.told)


async def test_a_secret_opened_with_an_old_key_is_sealed_with_the_newest(bench: Bench):
    await bench.tell(bench.connecting())
    newest = new_key(bench.keys_dir)
    async with bench.sender():
        await bench.until(await bench.send(), ACCEPTED)
    sealed = await bench.rows.fetchval("SELECT sealed FROM account")
    assert newest.encode() in sealed
    async with bench.sender():
        await bench.until(await bench.send(), ACCEPTED)


async def test_sender_does_not_start_without_a_key_that_is_in_use(bench: Bench):
    async with bench.sender():
        await bench.connect()
        await bench.until(await bench.send(), ACCEPTED)
    for file in bench.keys_dir.iterdir():
        file.unlink()
    new_key(bench.keys_dir)
    with pytest.raises(KeysUnusable):
        async with bench.sender():
            pass


async def test_another_tenants_account_is_not_sent_for(bench: Bench):
    async with bench.sender():
        await bench.connect()
        stranger = bench.message(tenant_id=UUID(int=5))
        await bench.tell(stranger)
        await bench.until(await bench.send(), ACCEPTED)
    assert bench.states(stranger.submission_id) == []
    assert len(bench.server.messages) == 1


async def test_what_acts_for_a_caller_reads_bytes_and_nothing_else(bench: Bench):
    request = await asyncpg.connect(bench.platform.database_url("sender_request"))
    try:
        for table in ("account", "recipient", "attempt", "outbox"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await request.fetch(f"SELECT 1 FROM {table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await request.execute("DELETE FROM submission")
        assert await request.fetch("SELECT 1 FROM submission") == []
    finally:
        await request.close()

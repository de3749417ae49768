"""Messages that are not sent at once, and what can be done about them until then."""

import asyncio
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default

from shared.contracts.envelope import Caller, decode, encode
from shared.contracts.submission import (
    ChangeSuppression,
    Fate,
    PreviewSubmission,
    SubmissionAction,
    SubmissionPreview,
    SubmissionState,
)
from tests.sender.conftest import BOB, EVE, Bench
from tests.sender.scripted import Does

ACCEPTED = SubmissionState.ACCEPTED
CANCELED = SubmissionState.CANCELED
SCHEDULED = SubmissionState.SCHEDULED


def in_(**time: float) -> datetime:
    return datetime.now(UTC) + timedelta(**time)


async def test_what_is_undone_in_time_is_never_sent(bench: Bench):
    async with bench.sender():
        await bench.connect()
        undone = await bench.send(undo_until=in_(minutes=1))
        held = await bench.until(undone, SubmissionState.HELD)
        assert held.next_attempt_at is not None
        answer = await bench.changes(undone, SubmissionAction.CANCEL)
        assert (answer.state, answer.change_refused) == (CANCELED, None)
        assert [one.fate for one in answer.recipients] == [Fate.CANCELED]
        await bench.rows.execute("UPDATE submission SET due_at = now() WHERE due_at IS NOT NULL")
        other = await bench.send()
        await bench.until(other, ACCEPTED)
        again = await bench.changes(undone, SubmissionAction.CANCEL)
        assert (again.state, again.change_refused) == (CANCELED, None)
    assert len(bench.server.messages) == 1


async def test_what_is_not_undone_is_sent_when_its_time_has_come(bench: Bench):
    async with bench.sender():
        await bench.connect()
        held = await bench.send(undo_until=in_(seconds=0.3))
        scheduled = await bench.send(send_at=in_(seconds=0.3), undo_until=in_(seconds=0.1))
        await bench.until(held, ACCEPTED)
        await bench.until(scheduled, ACCEPTED)
    assert bench.states(held) == [SubmissionState.HELD, SubmissionState.SENDING, ACCEPTED]
    assert bench.states(scheduled) == [SCHEDULED, SubmissionState.SENDING, ACCEPTED]


async def test_what_came_due_while_nobody_was_there_is_sent_at_the_start(bench: Bench):
    async with bench.sender():
        await bench.connect()
        scheduled = await bench.send(send_at=in_(hours=1))
        await bench.until(scheduled, SCHEDULED)
    await bench.rows.execute("UPDATE submission SET due_at = now() - interval '1 day'")
    async with bench.sender():
        await bench.until(scheduled, ACCEPTED)


async def test_a_message_says_that_it_was_sent_when_it_was(bench: Bench):
    async with bench.sender():
        await bench.connect()
        day = in_(days=1).replace(microsecond=0)
        sent = await bench.send(send_at=day)
        await bench.until(sent, SCHEDULED)
        assert await _date_of(bench) == day
        week = day + timedelta(days=7)
        answer = await bench.changes(sent, SubmissionAction.RESCHEDULE, send_at=week)
        assert (answer.state, answer.next_attempt_at) == (SCHEDULED, week)
        assert await _date_of(bench) == week
        await bench.changes(sent, SubmissionAction.SEND_NOW)
        await bench.until(sent, ACCEPTED)
    message = message_from_bytes(bench.server.messages[0], policy=default)
    assert message["Date"].datetime < day
    assert (message["Subject"], message.get_content()) == ("Lunch", "At noon?\r\n")


async def _date_of(bench: Bench) -> datetime:
    data = await bench.rows.fetchval("SELECT data FROM mime_piece WHERE number = 0")
    return message_from_bytes(data, policy=default)["Date"].datetime


async def test_what_was_sent_cannot_be_unsent(bench: Bench):
    async with bench.sender():
        await bench.connect()
        sent = await bench.send()
        await bench.until(sent, ACCEPTED)
        for action, why in (
            (SubmissionAction.CANCEL, "cannot_unsend"),
            (SubmissionAction.SEND_NOW, "already_settled"),
            (SubmissionAction.RESCHEDULE, "already_sent"),
            (SubmissionAction.RETRY, "already_sent"),
        ):
            answer = await bench.changes(sent, action, send_at=in_(days=1))
            assert (answer.state, answer.change_refused) == (ACCEPTED, why)
    assert len(bench.server.messages) == 1


async def test_at_the_last_moment_it_is_either_canceled_or_cannot_be(bench: Bench):
    bench.server.does(DATA=Does.SILENCE)
    async with bench.sender():
        await bench.connect()
        before = await bench.send()
        await bench.until_row("SELECT true FROM submission WHERE stage = 'sending'")
        answer = await bench.changes(before, SubmissionAction.CANCEL)
        assert (answer.state, answer.change_refused) == (CANCELED, None)

        bench.server.does(DATA="354 go on")
        bench.server.hold_dot = asyncio.Event()
        after = await bench.send()
        await bench.until_row("SELECT true FROM submission WHERE stage = 'transmitting'")
        answer = await bench.changes(after, SubmissionAction.CANCEL)
        assert answer.change_refused == "cannot_unsend"
        bench.server.hold_dot.set()
        await bench.until(after, ACCEPTED)
    assert len(bench.server.messages) == 1
    assert bench.states(before)[-1] is CANCELED


async def test_those_who_were_refused_are_tried_again_when_somebody_says_so(bench: Bench):
    bench.server.script["RCPT TO:<eve@"] = "550 5.1.1 nobody here"
    async with bench.sender():
        await bench.connect()
        sent = await bench.send(BOB, EVE)
        await bench.until(sent, SubmissionState.PARTIALLY_ACCEPTED)
        del bench.server.script["RCPT TO:<eve@"]
        again = await bench.changes(sent, SubmissionAction.RETRY)
        assert (again.state, again.change_refused) == (SubmissionState.QUEUED, None)
        await bench.until(sent, ACCEPTED)
    assert bench.server.talks[-1].said("RCPT")[2:] == ["RCPT TO:<eve@example.net>"]


async def test_in_doubt_a_message_is_sent_again_only_if_it_may_arrive_twice(bench: Bench):
    bench.server.does(dot=Does.CUT)
    async with bench.sender():
        await bench.connect()
        sent = await bench.send()
        await bench.until(sent, SubmissionState.UNCERTAIN)
        refused = await bench.changes(sent, SubmissionAction.RETRY)
        assert refused.change_refused == "may_arrive_twice"
        assert refused.state is SubmissionState.UNCERTAIN
        bench.server.does(dot="250 taken")
        await bench.changes(sent, SubmissionAction.RETRY, may_arrive_twice=True)
        await bench.until(sent, ACCEPTED)


async def test_what_has_not_arrived_in_its_time_has_failed(bench: Bench):
    bench.server.does(MAIL="451 4.3.0 later")
    async with bench.sender():
        await bench.connect()
        late = await bench.send(expires_at=in_(seconds=30))
        failed = await bench.until(late, SubmissionState.FAILED)
        assert failed.reason == "expired"
        missed = await bench.send(send_at=in_(hours=1), expires_at=in_(hours=2))
        await bench.until(missed, SCHEDULED)
        talks = len(bench.server.talks)
        await bench.rows.execute(
            "UPDATE submission SET due_at = now(), expires_at = now() WHERE due_at IS NOT NULL"
        )
        failed = await bench.until(missed, SubmissionState.FAILED)
        assert failed.reason == "expired"
        assert len(bench.server.talks) == talks


async def test_files_are_gathered_before_a_message_is_sent(bench: Bench):
    report = bytes(range(256)) * 5_000  # five pieces
    raw = b"From: ada@example.com\r\nTo: x@example.org\r\nSubject: whole\r\n\r\nhello\r\n"
    async with bench.sender():
        await bench.connect()
        composed = await bench.send(
            html='<img src="cid:1@x">',
            enclosures=(
                bench.enclosing(report),
                bench.enclosing(b"", name="empty.txt"),
                bench.enclosing(b"img", name="a.png", content_id="1@x", inline=True),
            ),
        )
        accepted = await bench.until(composed, ACCEPTED)
        whole = await bench.send(raw=bench.enclosing(raw))
        await bench.until(whole, ACCEPTED)
        assert await bench.rows.fetchval("SELECT count(*) FROM letter") == 0
    first, second = (message_from_bytes(raw, policy=default) for raw in bench.server.messages)
    files = {part.get_filename(): part.get_content() for part in first.iter_attachments()}
    assert files == {"report.pdf": report, "empty.txt": b""}
    assert accepted.size_bytes == len(bench.server.messages[0])
    assert second["Subject"] == "whole"


async def test_a_message_waits_for_its_files_and_can_be_canceled_meanwhile(bench: Bench):
    bench.api_is_there = False
    async with bench.sender():
        await bench.connect()
        canceled = await bench.send(enclosures=(bench.enclosing(b"x"),))
        waiting = await bench.send(enclosures=(bench.enclosing(b"y" * 100),))
        assert (await bench.until(waiting, SubmissionState.QUEUED)).size_bytes == 0
        answer = await bench.changes(canceled, SubmissionAction.CANCEL)
        assert answer.state is CANCELED
        await bench.until_row("SELECT attempts > 0 FROM letter WHERE submission_id = $1", waiting)
        bench.api_is_there = True
        await bench.rows.execute("UPDATE letter SET due_at = now()")
        await bench.until(waiting, ACCEPTED)
    assert len(bench.server.messages) == 1


async def test_a_message_whose_files_are_gone_has_failed(bench: Bench):
    async with bench.sender():
        await bench.connect()
        lost = bench.enclosing(b"x")
        bench.uploads.clear()
        sent = await bench.send(enclosures=(lost,))
        failed = await bench.until(sent, SubmissionState.FAILED)
        assert failed.reason == "attachment_missing"
    assert bench.server.talks == []


async def test_a_preview_is_what_would_be_sent_and_sends_nothing(bench: Bench):
    async with bench.sender():
        await bench.connect()
        caller = Caller(tenant_id=bench.tenant_id, account_ids=(bench.account_id,))
        message = bench.message(BOB, bcc=(EVE,), enclosures=(bench.enclosing(b"x"),))
        async with bench.platform.admin_bus() as asker:

            async def preview(**differently: object) -> SubmissionPreview:
                query = PreviewSubmission(
                    caller=caller, message=bench.message(**differently) if differently else message
                )
                reply = await asker.request(query.channel, encode(query), timeout=10)
                return decode(reply.data, SubmissionPreview)

            shown = await preview()
            assert all(check.passed for check in shown.checks)
            assert shown.recipients == ("bob@example.org", "eve@example.net")
            assert message_from_bytes(shown.mime, policy=default)["Subject"] == "Lunch"
            suppressed = ChangeSuppression(
                tenant_id=bench.tenant_id, email="Eve@example.net", suppressed=True
            )
            await bench.tell(suppressed)
            await bench.until_row("SELECT true FROM suppression")
            failing = [check for check in (await preview()).checks if not check.passed]
            assert [(check.name, check.code) for check in failing] == [
                ("suppressions", "suppressed")
            ]
            assert "eve@example.net" in failing[0].detail
            anyway = await preview(ignore_suppressions=True, to=(EVE,))
            assert all(check.passed for check in anyway.checks)
            wrong = await preview(subject="a\nb")
            assert wrong.mime == b""
            assert [(check.name, check.passed, check.code) for check in wrong.checks] == [
                ("recipients", True, None),
                ("header", False, "invalid_header"),
            ]
    assert bench.told == []
    assert bench.server.talks == []


async def test_a_preview_knows_how_much_the_server_takes_once_it_said_so(bench: Bench):
    async with bench.sender():
        await bench.connect()
        bench.server.does(EHLO="250-mx.example\r\n250-SIZE 2000\r\n250 AUTH PLAIN")
        await bench.until(await bench.send(BOB), SubmissionState.ACCEPTED)
        await bench.until_row("SELECT largest_bytes = 2000 FROM submission_server")
        query = PreviewSubmission(
            caller=Caller(tenant_id=bench.tenant_id, account_ids=(bench.account_id,)),
            message=bench.message(BOB, text="x" * 60 + "\n" + "y\n" * 1500),
        )
        async with bench.platform.admin_bus() as asker:
            reply = await asker.request(query.channel, encode(query), timeout=10)
        checks = decode(reply.data, SubmissionPreview).checks
        failing = [(check.name, check.code) for check in checks if not check.passed]
        assert failing == [("size", "larger_than_server_takes")]

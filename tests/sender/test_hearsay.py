"""What is heard of messages after they were sent: reports, traces, and who is sent nothing more."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.content import RecipientReport, Report, ReportKind
from shared.contracts.envelope import Caller, decode, encode
from shared.contracts.submission import (
    ChangeSuppression,
    Fate,
    InDoubt,
    ListSuppressions,
    MessageSought,
    ReportReceived,
    SeekMessage,
    SubmissionChanged,
    SubmissionState,
    SuppressionReason,
    SuppressionsAnswer,
    Trace,
    TraceKind,
)
from tests.sender.conftest import BOB, EVE, Bench
from tests.sender.scripted import Does

ACCEPTED = SubmissionState.ACCEPTED
BOUNCED = SubmissionState.BOUNCED
UNCERTAIN = SubmissionState.UNCERTAIN


def reported(
    bench: Bench, about: str, *recipients: RecipientReport, **more: object
) -> ReportReceived:
    values = {
        "tenant_id": bench.tenant_id,
        "account_id": bench.account_id,
        "message_id": uuid7(),
        "received_at": datetime.now(UTC),
        "report": Report(kind=ReportKind.DELIVERY, about=about, recipients=recipients),
    }
    return ReportReceived(**(values | more))  # type: ignore[arg-type]


def failed(email: str, status: str = "5.1.1") -> RecipientReport:
    return RecipientReport(
        recipient=email, action="failed", status=status, diagnostic="550 no such user"
    )


async def accepted(bench: Bench, *to: object) -> SubmissionChanged:
    return await bench.until(await bench.send(*to), ACCEPTED)  # type: ignore[arg-type]


async def listed(bench: Bench) -> list[tuple[str, SuppressionReason]]:
    caller = Caller(tenant_id=bench.tenant_id, account_ids=())
    async with bench.platform.admin_bus() as bus:
        query = ListSuppressions(caller=caller)
        reply = await bus.request(query.channel, encode(query), timeout=5)
    answer = decode(reply.data, SuppressionsAnswer)
    return [(one.email, one.reason) for one in answer.suppressions]


async def test_a_bounce_is_told_for_whom_it_names_and_he_is_sent_nothing_more(bench: Bench):
    async with bench.sender():
        await bench.connect()
        sent = await accepted(bench, BOB, EVE)
        await bench.tell(reported(bench, sent.message_id, failed("bob@example.org")))
        bounced = await bench.until(sent.submission_id, BOUNCED)
        assert [one.fate for one in bounced.recipients] == [Fate.BOUNCED, Fate.ACCEPTED]
        assert bounced.recipients[0].enhanced_code == "5.1.1"
        assert bounced.server_said == "550 no such user"
        assert await listed(bench) == [("bob@example.org", SuppressionReason.BOUNCED)]

        refused = await bench.until(await bench.send(BOB), SubmissionState.FAILED)
        assert refused.reason == "suppressed"
        to_both = await bench.until(await bench.send(BOB, EVE), SubmissionState.PARTIALLY_ACCEPTED)
        assert [one.fate for one in to_both.recipients] == [Fate.REFUSED, Fate.ACCEPTED]
        assert len(bench.server.messages) == 2

        anyway = await bench.send(BOB, ignore_suppressions=True)
        await bench.until(anyway, ACCEPTED)


async def test_a_full_mailbox_bounces_and_is_written_to_again(bench: Bench):
    async with bench.sender():
        await bench.connect()
        sent = await accepted(bench)
        await bench.tell(reported(bench, sent.message_id, failed("bob@example.org", "5.2.2")))
        await bench.until(sent.submission_id, BOUNCED)
        await accepted(bench)
        assert await listed(bench) == []


async def test_a_complaint_counts_for_the_only_recipient_though_it_hides_him(bench: Bench):
    async with bench.sender():
        await bench.connect()
        sent = await accepted(bench)
        complaint = Report(
            kind=ReportKind.ABUSE,
            about=sent.message_id,
            recipients=(RecipientReport(recipient="", action="abuse"),),
        )
        await bench.tell(reported(bench, sent.message_id, report=complaint))
        told = await bench.until(sent.submission_id, SubmissionState.COMPLAINED)
        assert told.recipients[0].fate is Fate.COMPLAINED
        assert await listed(bench) == [("bob@example.org", SuppressionReason.COMPLAINED)]


async def test_a_report_about_somebody_elses_message_changes_nothing(bench: Bench):
    async with bench.sender():
        await bench.connect()
        sent = await accepted(bench)
        bob = failed("bob@example.org")
        await bench.tell(reported(bench, sent.message_id, bob, tenant_id=UUID(int=7)))
        await bench.tell(reported(bench, sent.message_id, bob, account_id=UUID(int=7)))
        await bench.tell(reported(bench, sent.message_id, failed("stranger@example.org")))
        await bench.tell(reported(bench, "unknown@example.org", bob))
        delayed = RecipientReport(recipient="bob@example.org", action="delayed", status="4.4.1")
        await bench.tell(reported(bench, sent.message_id, delayed))
        await bench.tell(reported(bench, sent.message_id, bob))
        await bench.tell(reported(bench, sent.message_id, bob))  # again
        await bench.until(sent.submission_id, BOUNCED)
        await accepted(bench, EVE)
    assert bench.states(sent.submission_id).count(BOUNCED) == 1


async def test_somebody_puts_an_address_on_the_list_and_takes_it_off(bench: Bench):
    def wanted(*, suppressed: bool) -> ChangeSuppression:
        return ChangeSuppression(
            tenant_id=bench.tenant_id, email="Bob@Example.org", suppressed=suppressed, said="left"
        )

    async with bench.sender():
        await bench.connect()
        await bench.tell(wanted(suppressed=True))
        await bench.until_row("SELECT count(*) = 1 FROM suppression")
        assert await listed(bench) == [("bob@example.org", SuppressionReason.MANUAL)]
        await bench.until(await bench.send(BOB), SubmissionState.FAILED)
        await bench.tell(wanted(suppressed=False))
        await bench.until_row("SELECT count(*) = 0 FROM suppression")
        await accepted(bench, BOB)


async def test_the_list_is_its_tenants_own(bench: Bench):
    async with bench.sender():
        await bench.connect()
        other = ChangeSuppression(tenant_id=UUID(int=9), email="bob@example.org", suppressed=True)
        await bench.tell(other)
        await bench.until_row("SELECT count(*) = 1 FROM suppression")
        await accepted(bench, BOB)
        assert await listed(bench) == []


async def doubtful(bench: Bench) -> SubmissionChanged:
    bench.server.does(dot=Does.CUT)
    return await bench.until(await bench.send(BOB, EVE), UNCERTAIN)


def sought(bench: Bench, about: SubmissionChanged, *kinds: TraceKind) -> MessageSought:
    return MessageSought(
        tenant_id=bench.tenant_id,
        account_id=bench.account_id,
        submission_id=about.submission_id,
        traces=tuple(
            Trace(kind=kind, account_id=bench.account_id, message_id=uuid7()) for kind in kinds
        ),
    )


async def test_traces_are_sought_of_what_is_uncertain_and_settle_it(bench: Bench):
    async with bench.platform.admin_bus() as bus:
        seeking = await bus.subscribe("sync.message.seek")
        async with bench.sender():
            await bench.connect()
            uncertain = await doubtful(bench)
            command = decode((await seeking.next_msg(timeout=20)).data, SeekMessage)
            assert command.submission_id == uncertain.submission_id
            assert command.message_id == uncertain.message_id

            await bench.tell(sought(bench, uncertain))
            await bench.tell(sought(bench, uncertain, TraceKind.REPLY, TraceKind.SENT_COPY))
            settled = await bench.until(uncertain.submission_id, ACCEPTED)
            assert settled.reason == "found_sent_copy"
            assert settled.revision == uncertain.revision + 1  # nothing found told nothing
            filing = await bench.until_filing()
            assert filing.submission_id == uncertain.submission_id
            assert await bench.rows.fetchval("SELECT seek_at IS NULL FROM submission")
    assert len(bench.server.messages) == 1


async def test_where_nothing_is_found_it_stays_uncertain_and_is_sought_again(bench: Bench):
    async with bench.sender():
        await bench.connect()
        uncertain = await doubtful(bench)
        await bench.until_row("SELECT seeks = 1 FROM submission")
        await bench.tell(sought(bench, uncertain))
        await bench.rows.execute("UPDATE submission SET seek_at = now()")
        await bench.until_row("SELECT seeks = 2 AND seek_at > now() FROM submission")
        assert await bench.rows.fetchval("SELECT state FROM submission") == "uncertain"
    assert len(bench.server.messages) == 1


async def test_in_doubt_it_is_sent_once_more_where_its_sender_wants_that(bench: Bench):
    async with bench.sender():
        await bench.connect()
        bench.server.does(dot=Does.CUT)
        submission_id = await bench.send(BOB, EVE, in_doubt=InDoubt.RETRY)
        uncertain = await bench.until(submission_id, UNCERTAIN)
        await bench.until_row("SELECT seeks = 1 FROM submission")
        await bench.tell(sought(bench, uncertain))
        for seeks in (2, 3, 4):  # nothing is found, each time
            assert await bench.rows.fetchval("SELECT state FROM submission") == "uncertain"
            if seeks == 4:
                bench.server.does(dot="250 2.0.0 taken")
            await bench.rows.execute("UPDATE submission SET seek_at = now()")
            await bench.until_row("SELECT seeks = $1 FROM submission", seeks)
            await bench.tell(sought(bench, uncertain))
        again = await bench.until(submission_id, SubmissionState.DEFERRED)
        assert again.reason == "no_trace_found"
        accepted = await bench.until(submission_id, ACCEPTED)
        assert accepted.attempts == 2
    first, second = bench.server.messages
    assert first == second


async def test_what_left_a_trace_is_not_sent_once_more(bench: Bench):
    async with bench.sender():
        await bench.connect()
        bench.server.does(dot=Does.CUT)
        submission_id = await bench.send(BOB, in_doubt=InDoubt.RETRY)
        uncertain = await bench.until(submission_id, UNCERTAIN)
        await bench.rows.execute("UPDATE submission SET seeks = 4, seek_at = NULL")
        await bench.tell(sought(bench, uncertain, TraceKind.COPY))
        settled = await bench.until(submission_id, ACCEPTED)
        assert settled.attempts == 1


async def test_a_bounce_settles_doubt_too(bench: Bench):
    async with bench.sender():
        await bench.connect()
        uncertain = await doubtful(bench)
        arrived = RecipientReport(recipient="eve@example.net", action="delivered", status="2.0.0")
        await bench.tell(reported(bench, uncertain.message_id, failed("bob@example.org"), arrived))
        told = await bench.until(uncertain.submission_id, BOUNCED)
    assert [one.fate for one in told.recipients] == [Fate.BOUNCED, Fate.ACCEPTED]

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.parse import parse
from shared.contracts.content import RecipientReport, Report, ReportKind
from tests.corpora import messages

BOUNCE = b"""\
From: MAILER-DAEMON@mx.example.org
Content-Type: multipart/report; report-type=delivery-status; boundary=r

--r

It could not be delivered.
--r
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; bob@example.net
Original-Recipient: rfc822; robert@example.org
Action: failed (no such person)
Status: 5.1.1 (bad address)
Diagnostic-Code: smtp; 550 5.1.1 <bob@example.net>:
 User unknown

Final-Recipient: RFC822;carol@example.net
Action: delayed
Status: 4.4.1
--r
Content-Type: message/rfc822

Message-ID: <1@example.org>
Subject: Lunch

Shall we?
--r--
"""


def test_a_bounce_says_who_was_not_reached_and_why():
    parsed = parse(BOUNCE)
    assert parsed.report == Report(
        kind=ReportKind.DELIVERY,
        about="1@example.org",
        recipients=(
            RecipientReport(
                recipient="bob@example.net",
                original_recipient="robert@example.org",
                action="failed",
                status="5.1.1",
                diagnostic="550 5.1.1 <bob@example.net>: User unknown",
            ),
            RecipientReport(recipient="carol@example.net", action="delayed", status="4.4.1"),
        ),
    )
    assert parsed.text == "It could not be delivered."
    assert [each.name for each in parsed.attachments] == ["", "Lunch.eml"]


def test_a_receipt_says_that_a_message_was_shown():
    raw = (
        b"Content-Type: multipart/report; boundary=r\n\n--r\n\nseen\n--r\n"
        b"Content-Type: message/disposition-notification\n\n"
        b"Final-Recipient: rfc822;bob@example.net\n\nOriginal-Message-ID: <1@example.org>\n"
        b"Disposition: manual-action/MDN-sent-manually; displayed\n--r--\n"
    )
    assert parse(raw).report == Report(
        kind=ReportKind.READING,
        about="1@example.org",
        recipients=(RecipientReport(recipient="bob@example.net", action="displayed"),),
    )


def test_a_complaint_says_of_what_and_by_whom():
    raw = (
        b"Content-Type: multipart/report; boundary=r\n\n--r\n\nspam\n--r\n"
        b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
        b"Original-Rcpt-To: <bob@example.net>\n--r\n"
        b"Content-Type: text/rfc822-headers\n\nMessage-ID: <1@example.org>\n--r--\n"
    )
    assert parse(raw).report == Report(
        kind=ReportKind.ABUSE,
        about="1@example.org",
        recipients=(RecipientReport(recipient="bob@example.net", action="abuse"),),
    )


def test_what_a_report_is_about_is_named_as_that_message_names_itself():
    for said in (b"<1\0@example.org>", "<käse@example.org>".encode(), b"<k\xe4se@example.org>"):
        report = parse(BOUNCE.replace(b"<1@example.org>", said)).report
        assert report is not None
        assert report.about == parse(b"Message-ID: " + said + b"\n\n").message_id
        assert report.about is not None
        assert "\0" not in report.about


def test_an_answer_is_no_report():
    assert parse(b"Subject: Re: lunch\n\nYes.\n").report is None


def test_real_bounces_name_whom_they_did_not_reach():
    delivered = [
        (name, raw)
        for name, raw in messages()
        if name.startswith("bounces/") and b"\nfinal-recipient:" in raw.lower()
    ]
    if not delivered:
        pytest.skip("the corpora are not beside the project")
    named = [
        name
        for name, raw in delivered
        if (report := parse(raw).report)
        and any("@" in each.recipient for each in report.recipients)
    ]
    assert len(named) >= len(delivered) * 0.95, set(dict(delivered)) - set(named)


@pytest.mark.usefixtures("quickly")
def test_a_report_about_too_many_tells_of_some():
    raw = BOUNCE.replace(
        b"Final-Recipient: RFC822;carol@example.net\n",
        b"\n".join(b"Final-Recipient: rfc822; a@x\n" for _ in range(100_000)),
    )
    report = parse(raw).report
    assert report is not None
    assert 50 < len(report.recipients) <= 100


@pytest.mark.usefixtures("quickly")
def test_a_report_with_a_long_blank_in_it_is_soon_read():
    blank = b" " * 200_000
    report = parse(BOUNCE.replace(b"rfc822; bob", b"rfc822;" + blank + b"; bob")).report
    assert report is not None


@given(st.binary(max_size=300))
def test_whatever_stands_in_a_report_the_message_is_read(said: bytes):
    raw = BOUNCE.replace(b"rfc822; bob@example.net", said)
    assert parse(raw).text

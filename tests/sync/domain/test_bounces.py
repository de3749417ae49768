import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.domain.bounces import bounce_of
from services.sync.domain.parse import parse
from shared.contracts.content import RecipientReport, Report, ReportKind
from tests.corpora import messages

QMAIL = """\
Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<bob@example.net>:
192.0.2.25 does not like recipient.
Remote host said: 550 5.1.1 <bob@example.net>: User unknown
Giving up on 192.0.2.25.

<carol@example.net>:
Sorry, I couldn't find any host named example.net. (#5.1.2)

--- Below this line is a copy of the message.

Return-Path: <ann@example.org>
Message-ID: <1@example.org>
Subject: Lunch

<eve@example.net>:
is only quoted.
"""

EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  bob@example.net
    host mx.example.net [192.0.2.25]
    SMTP error from remote mail server after RCPT TO:<bob@example.net>:
    550 5.1.1 <bob@example.net>... User Unknown
  carol@example.net
    Unrouteable address

------ This is a copy of the message, including all the headers. ------

Message-Id: <1@example.org>

  eve@example.net
"""

EXCHANGE = """\
Your message

  To:      bob@example.net
  Subject: Lunch
  Sent:    Thu, 29 Apr 2004 23:34:45 +0000

did not reach the following recipient(s):

bob@example.net on Thu, 29 Apr 2004 23:34:45 +0000
    The recipient name is not recognized
    MSEXCH:IMS:Example:MAIL 0 (000C05A6) Unknown Recipient
"""


def raw(text: str, sender: str = "MAILER-DAEMON@mx.example.org") -> bytes:
    return f"From: {sender}\nSubject: failure notice\n\n{text}".encode()


def bounced(*recipients: RecipientReport, about: str | None) -> Report:
    return Report(kind=ReportKind.DELIVERY, about=about, recipients=recipients)


def test_qmail_says_who_was_not_reached_and_of_which_message():
    assert parse(raw(QMAIL)).report == bounced(
        RecipientReport(
            recipient="bob@example.net",
            action="failed",
            status="5.1.1",
            diagnostic="192.0.2.25 does not like recipient. Remote host said: 550 5.1.1"
            " <bob@example.net>: User unknown Giving up on 192.0.2.25.",
        ),
        RecipientReport(
            recipient="carol@example.net",
            action="failed",
            status="5.1.2",
            diagnostic="Sorry, I couldn't find any host named example.net. (#5.1.2)",
        ),
        about="1@example.org",
    )


def test_exim_says_who_was_not_reached_and_of_which_message():
    assert parse(raw(EXIM)).report == bounced(
        RecipientReport(
            recipient="bob@example.net",
            action="failed",
            status="5.1.1",
            diagnostic="host mx.example.net [192.0.2.25] SMTP error from remote mail server after"
            " RCPT TO:<bob@example.net>: 550 5.1.1 <bob@example.net>... User Unknown",
        ),
        RecipientReport(
            recipient="carol@example.net", action="failed", diagnostic="Unrouteable address"
        ),
        about="1@example.org",
    )


def test_exim_says_who_was_not_reached_yet():
    late = re.sub(
        r"A message.*failed:",
        "A message that you sent has not yet been delivered to one or more of its\nrecipients.\n\n"
        "The address to which the message has not yet been delivered is:",
        EXIM,
        flags=re.DOTALL,
    )
    report = parse(raw(late)).report
    assert report is not None
    assert {each.action for each in report.recipients} == {"delayed"}


def test_exchange_says_who_was_not_reached():
    assert parse(raw(EXCHANGE, "Postmaster@example.org")).report == bounced(
        RecipientReport(
            recipient="bob@example.net",
            action="failed",
            diagnostic="The recipient name is not recognized MSEXCH:IMS:Example:MAIL 0 (000C05A6)"
            " Unknown Recipient",
        ),
        about=None,
    )


def test_what_came_back_as_an_attachment_says_of_which_message():
    message = (
        b"From: MAILER-DAEMON@mx.example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n"
        + QMAIL.split("---")[0].encode()
        + b"--b\nContent-Type: message/rfc822\n\nMessage-ID: <2@example.org>\n\nLunch?\n--b--\n"
    )
    report = parse(message).report
    assert report is not None
    assert report.about == "2@example.org"


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        (QMAIL, "ann@example.org"),  # who was bounced sends it on
        ("I got this:\n\n" + QMAIL, "MAILER-DAEMON@mx.example.org"),
        (QMAIL.split("<bob")[0], "MAILER-DAEMON@mx.example.org"),  # of nobody
        (EXIM.replace("failed:", "were reached:"), "MAILER-DAEMON@mx.example.org"),
        ("Your message arrived.\n\nbob@example.net on Monday\n", "postmaster@example.org"),
    ],
)
def test_what_is_not_certain_is_not_told(text: str, sender: str):
    assert parse(raw(text, sender)).report is None


def test_real_bounces_in_words_name_whom_they_did_not_reach():
    told: list[str] = []
    wordy: list[str] = []
    for name, message in messages():
        if re.search(r"lhost-(?:qmail|exim|exchange)", name):
            wordy.append(name)
            report = parse(message).report
            if report is not None and report.recipients:
                told.append(name)
    if not wordy:
        pytest.skip("the corpora are not beside the project")
    # One of them names a program, and one an address that no server was asked about.
    assert len(told) >= len(wordy) - 2, set(wordy) - set(told)


def test_of_people_no_message_is_taken_for_a_bounce():
    people = [
        (name, message)
        for name, message in messages()
        if name.startswith(("spamassassin", "threading", "quotes"))
    ]
    if not people:
        pytest.skip("the corpora are not beside the project")
    for name, message in people:
        parsed = parse(message)
        if parsed.report is not None and not parsed.attachments:
            assert parsed.sender is not None, name
            assert re.match(r"(?i)mailer-daemon|postmaster", parsed.sender.email), name


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "text",
    [
        QMAIL.replace("<carol@example.net>:\n", "<carol@example.net>:\n\n" * 50_000),
        EXIM.replace("    Unrouteable", "  a@b\n" * 50_000),
        EXCHANGE + "a@b on c\n" * 50_000,
        "Hi. This is the " + "\n \t" * 50_000,
        "Your message\n" + " \t" * 50_000,
    ],
)
def test_a_bounce_about_too_many_tells_of_some(text: str):
    report = bounce_of("mailer-daemon@example.org", text)
    assert report is None or len(report.recipients) <= 100


@given(st.text(max_size=300), st.sampled_from([QMAIL, EXIM, EXCHANGE]))
def test_whatever_stands_in_a_bounce_the_message_is_read(said: str, bounce: str):
    report = bounce_of("postmaster@example.org", bounce.replace("bob@example.net", said))
    assert report is None or all(each.recipient for each in report.recipients)

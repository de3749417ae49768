"""What sender is told of messages that it sent: reports that came, and traces that it asks for."""

from uuid import uuid4

from shared.contracts.account import ConnectSync
from shared.contracts.content import ReportKind
from shared.contracts.envelope import decode, encode
from shared.contracts.submission import MessageSought, ReportReceived, SeekMessage, TraceKind
from tests.servers.dovecot import Dovecot
from tests.sync.conftest import Sync

LUNCH = b"Message-ID: <lunch@postbus.test>\r\nSubject: Lunch\r\n\r\nAt noon?\r\n"
BOUNCE = b"""\
Message-ID: <bounce@postbus.test>\r
Subject: Undelivered\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
It came back.\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.example\r
\r
Final-Recipient: rfc822; bob@example.org\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 no such user\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: <lunch@postbus.test>\r
--b--\r
"""


async def found(sync: Sync, account: ConnectSync, message_id: str) -> list[TraceKind]:
    """What is told of a message when it is asked for."""
    async with sync.platform.admin_bus() as bus:
        hearing = await bus.subscribe("mail.message.sought")
        submission_id = uuid4()
        command = SeekMessage(
            tenant_id=account.tenant_id,
            account_id=account.account_id,
            submission_id=submission_id,
            message_id=message_id,
        )
        await bus.jetstream().publish(command.channel, encode(command))
        told = decode((await hearing.next_msg(timeout=30)).data, MessageSought)
    assert told.submission_id == submission_id
    return [trace.kind for trace in told.traces]


async def test_a_copy_that_the_server_filed_is_found_and_what_is_not_there_is_not(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    dovecot.append(user, "Sent", [LUNCH])
    async with sync.running():
        account = await sync.connect(user, dovecot)
        await sync.until_listed(1)
        assert await found(sync, account, "lunch@postbus.test") == [TraceKind.SENT_COPY]
        assert await found(sync, account, "dinner@postbus.test") == []


async def test_a_bounce_that_comes_is_told_to_sender(
    sync: Sync, dovecot: Dovecot, user: str
) -> None:
    async with sync.running(), sync.platform.admin_bus() as bus:
        hearing = await bus.subscribe("mail.report.received")
        account = await sync.connect(user, dovecot)
        await sync.until_state("live")
        dovecot.append(user, "INBOX", [LUNCH, BOUNCE])
        told = decode((await hearing.next_msg(timeout=60)).data, ReportReceived)
    assert told.account_id == account.account_id
    assert told.report.kind is ReportKind.DELIVERY
    assert told.report.about == "lunch@postbus.test"
    (one,) = told.report.recipients
    assert (one.recipient, one.action, one.status) == ("bob@example.org", "failed", "5.1.1")

"""The demo mail server is one that people can try Postbus with."""

import email
import imaplib
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path

import pytest

from infra.dev.demo import ADA, DEMO_ACCOUNTS, GRACE, OUTSIDE, DemoAccount
from infra.dev.demo.seed import MAILBOXES, plants
from tests.servers.dovecot import quote
from tests.servers.process import LOOPBACK, answers, free_ports

REPOSITORY = Path(__file__).resolve().parents[2]


class Demo:
    """A running demo server."""

    def __init__(self, data: Path) -> None:
        self.imap_port, self.smtp_port = free_ports(2)
        command = [sys.executable, "-m", "infra.dev.demo", "--data", str(data)]
        command += ["--imap-port", str(self.imap_port), "--smtp-port", str(self.smtp_port)]
        self.process = subprocess.Popen(command, cwd=REPOSITORY)
        deadline = time.monotonic() + 60
        while not (answers(self.imap_port) and answers(self.smtp_port)):
            assert self.process.poll() is None, "the demo server did not start"
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def imap(self, account: DemoAccount) -> imaplib.IMAP4:
        connection = imaplib.IMAP4(LOOPBACK, self.imap_port, timeout=20)
        connection.login(account.address, account.password)
        return connection

    def smtp(self, account: DemoAccount) -> smtplib.SMTP:
        connection = smtplib.SMTP(LOOPBACK, self.smtp_port, timeout=20)
        connection.login(account.address, account.password)
        return connection


@contextmanager
def demo(data: Path, ending: signal.Signals = signal.SIGTERM) -> Generator[Demo]:
    server = Demo(data)
    try:
        yield server
    finally:
        server.process.send_signal(ending)
        code = server.process.wait(timeout=20)
    assert code == (0 if ending is signal.SIGTERM else -ending)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo")) as server:
        yield server


def uids(connection: imaplib.IMAP4, mailbox: str) -> dict[int, bytes]:
    """UID and Message-ID of each message."""
    connection.select(quote(mailbox), readonly=True)
    _, answer = connection.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    tuples = [each for each in answer if isinstance(each, tuple)]
    return {int(each[0].split(b"UID ")[1].split()[0]): each[1].strip() for each in tuples}


def letter(sender: str, recipient: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Message-ID"] = f"<{subject.replace(' ', '.')}@postbus.example>"
    message.set_content("Grüße\n")
    return message


def test_every_account_finds_its_mailboxes_and_their_purpose(running: Demo) -> None:
    for account in DEMO_ACCOUNTS:
        with running.imap(account) as connection:
            _, listed = connection.list('""', '"*"')
            lines = [line.decode() for line in listed if isinstance(line, bytes)]
            assert len(lines) == len(MAILBOXES)
            for name in ("Sent", "Drafts", "Archive", "Trash", "Junk"):
                assert any(line.endswith(name) and f"\\{name}" in line for line in lines)
            assert any(line.endswith('K&APw-che &- Garten"') for line in lines)


def test_hundreds_of_messages_wait_and_every_one_can_be_fetched(running: Demo) -> None:
    total = 0
    with running.imap(ADA) as connection:
        for name in MAILBOXES:
            status, (count,) = connection.select(quote(name), readonly=True)
            assert status == "OK"
            if count == b"0":
                continue
            everything = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])"
            status, answer = connection.fetch("1:*", everything)
            assert status == "OK"
            raws = [each[1] for each in answer if isinstance(each, tuple) and len(each[1]) > 200]
            assert len(raws) >= int(count or 0)
            total += int(count or 0)
    assert total > 350


def test_a_stored_message_is_given_back_byte_by_byte(running: Demo) -> None:
    raw = b"Subject: caf\xe9\r\nX-Odd:no space\r\n\r\n\xff\x80, and no final newline"
    with running.imap(GRACE) as connection:
        connection.append("Drafts", "(\\Draft)", '"01-Feb-2024 08:00:00 +0100"', raw)
        connection.select("Drafts")
        _, answer = connection.fetch("*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    assert isinstance(answer[0], tuple)
    assert answer[0][1] == raw
    assert "\\Draft" in str(answer)
    assert "01-Feb-2024 07:00:00 +0000" in str(answer)


def test_the_demo_mail_is_varied() -> None:
    now = datetime.now(UTC)
    found = list(plants(now))
    messages = [email.message_from_bytes(each.raw, policy=modern) for each in found]
    parts = [part for message in messages for part in message.walk()]
    types = {part.get_content_type() for part in parts}
    assert types >= {
        "text/plain",
        "text/html",
        "text/calendar",
        "text/csv",
        "image/png",
        "application/pdf",
        "application/zip",
        "message/rfc822",
        "message/delivery-status",
        "multipart/signed",
    }
    charsets = {part.get_content_charset() for part in parts}
    assert charsets >= {"iso-2022-jp", "gb2312", "big5", "koi8-r", "iso-8859-1", "windows-1256"}
    assert sum(message["List-Id"] is not None for message in messages) > 50
    assert sum(message["In-Reply-To"] is not None for message in messages) > 50
    assert {flag for each in found for flag in each.flags} >= {
        "\\Seen",
        "\\Flagged",
        "\\Answered",
        "\\Draft",
    }
    received = [each.received_at for each in found]
    assert max(received) <= now
    assert now - timedelta(days=1) < max(received)
    assert now - timedelta(days=600) < min(received) < now - timedelta(days=480)


def test_the_demo_mail_is_the_same_for_everybody() -> None:
    now = datetime(2030, 5, 17, 12, 0, tzinfo=UTC)
    assert list(plants(now)) == list(plants(now))


def test_replies_name_the_messages_they_answer() -> None:
    messages = [
        email.message_from_bytes(each.raw, policy=modern)
        for each in plants(datetime.now(UTC))
        if each.owner == ADA.address
    ]
    known = {message["Message-ID"] for message in messages}
    for message in messages:
        for reference in (message["References"] or "").split():
            assert reference in known, message["Subject"]


def test_a_sent_message_wakes_who_idles(running: Demo) -> None:
    with running.imap(GRACE) as connection:
        connection.select("INBOX")
        connection.send(b"wait IDLE\r\n")
        assert connection.readline().startswith(b"+")
        with running.smtp(ADA) as smtp:
            smtp.send_message(letter(ADA.address, GRACE.address, "Are you awake"))
        started = time.monotonic()
        while b"EXISTS" not in connection.readline():
            pass
        assert time.monotonic() - started < 0.5
        connection.send(b"DONE\r\n")
        while not connection.readline().startswith(b"wait OK"):
            pass
        assert b"<Are.you.awake@postbus.example>" in str(uids(connection, "INBOX")).encode()


def test_an_unknown_recipient_is_refused_and_the_others_are_not(running: Demo) -> None:
    with running.smtp(ADA) as smtp:
        message = letter(ADA.address, GRACE.address, "Only one of you")
        refused = smtp.send_message(message, to_addrs=[GRACE.address, "nobody@postbus.example"])
    assert refused["nobody@postbus.example"][0] == 550


def test_mail_for_elsewhere_never_leaves(running: Demo) -> None:
    with running.smtp(ADA) as smtp:
        smtp.send_message(letter(ADA.address, "someone@example.org", "To the world"))
    with running.imap(OUTSIDE) as connection:
        assert list(uids(connection, "INBOX").values())[-1].endswith(
            b"<To.the.world@postbus.example>"
        )


def test_sending_wants_the_right_password(running: Demo) -> None:
    with smtplib.SMTP(LOOPBACK, running.smtp_port) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(ADA.address, "wrong")
        with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
            smtp.send_message(letter(ADA.address, GRACE.address, "No login"))
    connection = imaplib.IMAP4(LOOPBACK, running.imap_port)
    with pytest.raises(imaplib.IMAP4.error):
        connection.login(ADA.address, "wrong")
    connection.shutdown()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_changes_nothing(tmp_path: Path, ending: signal.Signals) -> None:
    def state(server: Demo) -> tuple[object, ...]:
        with server.imap(ADA) as connection:
            _, validity = connection.status("INBOX", "(UIDVALIDITY UIDNEXT MESSAGES UNSEEN)")
            _, renamed = connection.status("Projects/Library", "(UIDVALIDITY UIDNEXT MESSAGES)")
            return validity, renamed, uids(connection, "INBOX"), uids(connection, "Archive")

    with demo(tmp_path, ending) as server:
        with server.imap(ADA) as connection:
            connection.select("INBOX")
            connection.uid("MOVE", "2,4", "Archive")
            connection.uid("COPY", "5", "Archive")
            connection.uid("STORE", "6", "+FLAGS.SILENT", "(\\Deleted)")
            connection.expunge()
            connection.uid("STORE", "7", "-FLAGS.SILENT", "(\\Seen)")
            connection.rename('"Projects/Harbour Library"', "Projects/Library")
        with server.smtp(ADA) as smtp:
            smtp.send_message(letter(ADA.address, ADA.address, "To myself"))
        before = state(server)
    with demo(tmp_path) as server:
        assert state(server) == before
        with server.imap(ADA) as connection:
            left = uids(connection, "INBOX")
        assert left.keys().isdisjoint({2, 4, 6})
        assert {1, 3, 5, 7} <= left.keys()

"""The servers the other tests stand on do what those tests take for granted."""

import imaplib
import os
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage

import psutil
import pytest

from tests.corpora import corpora, message_id, messages
from tests.servers.dovecot import DOMAIN, PASSWORD, SPECIAL_MAILBOXES, Dovecot, Mail
from tests.servers.postfix import Postfix
from tests.servers.process import LOOPBACK, ServerUnavailable, short_directory

pytest_plugins = ("tests.servers.fixtures",)


def letter(sender: str, recipient: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Message-ID"] = f"<{subject.replace(' ', '.')}@{DOMAIN}>"
    message.set_content("Good morning.\n")
    return message


def arrived(dovecot: Dovecot, user: str) -> bytes:
    """The user's next message, awaited by IDLE (RFC 2177)."""
    with dovecot.imap(user) as connection:
        connection.select("INBOX")
        if connection.untagged_responses.get("EXISTS", [b"0"])[-1] in (b"0", None):
            connection.send(b"wait IDLE\r\n")
            while b"EXISTS" not in connection.readline():
                pass
            connection.send(b"DONE\r\n")
            while not connection.readline().startswith(b"wait OK"):
                pass
    (raw,) = dovecot.messages(user).values()
    return raw


def test_a_new_user_finds_the_special_mailboxes(dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    assert dovecot.mailboxes(user) == sorted(["INBOX", *SPECIAL_MAILBOXES])
    with dovecot.imap(user) as connection:
        _, listed = connection.list('""', '"*"')
    lines = [line.decode() for line in listed if isinstance(line, bytes)]
    for name in SPECIAL_MAILBOXES:
        assert any(f"\\{name})" in line and line.endswith(f" {name}") for line in lines)


def test_a_wrong_password_is_refused_at_once(dovecot: Dovecot) -> None:
    connection = imaplib.IMAP4(LOOPBACK, dovecot.imap_port, timeout=1)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        connection.login(dovecot.new_user(), "wrong")
    connection.shutdown()


@pytest.mark.parametrize("implicit", [True, False])
def test_imap_is_reached_by_tls_with_a_certificate_a_client_may_trust(
    dovecot: Dovecot, implicit: bool
) -> None:
    trust = ssl.create_default_context(cafile=str(dovecot.certificate))
    if implicit:
        connection = imaplib.IMAP4_SSL("localhost", dovecot.imaps_port, ssl_context=trust)
    else:
        connection = imaplib.IMAP4("localhost", dovecot.imap_port)
        connection.starttls(trust)
    with connection:
        assert connection.login(dovecot.new_user(), PASSWORD)[0] == "OK"


def test_thousands_of_messages_are_appended_in_order(dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    numbered = [f"Message-ID: <{n}@{DOMAIN}>\n\nNumber {n}\n".encode() for n in range(1201)]
    uids = dovecot.append(user, "Projekte/Köln & Bonn", numbered)
    assert uids == list(range(1, 1202))
    assert "Projekte/Köln & Bonn" in dovecot.mailboxes(user)
    found = dovecot.message_ids(user, "Projekte/Köln & Bonn")
    assert found == {uid: f"<{uid - 1}@{DOMAIN}>" for uid in uids}


def test_an_appended_message_keeps_its_bytes_flags_and_date(dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    raw = b"Subject: caf\xe9\r\n\r\n8-bit \xff and a bare \r in a line\r\n"
    when = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
    dovecot.append(user, "Archive", [Mail(raw, ("\\Seen", "$Important"), when)])
    assert dovecot.messages(user, "Archive") == {1: raw}
    assert dovecot.flags(user, "Archive")[1] >= {"\\Seen", "$Important"}
    with dovecot.imap(user) as connection:
        connection.select("Archive", readonly=True)
        _, answer = connection.fetch("1", "(INTERNALDATE)")
    assert '"29-Feb-2024 12:30:00 +0000"' in str(answer[0])


@pytest.mark.skipif(corpora() is None, reason="the corpora are not on this machine")
def test_dovecot_takes_every_message_of_the_corpora(dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    raws = [raw for _, raw in messages()]
    assert len(raws) > 2000
    uids = dovecot.append(user, "Corpora", raws)
    expected = {uid: message_id(raw) for uid, raw in zip(uids, raws, strict=True)}
    assert dovecot.message_ids(user, "Corpora") == expected


def test_a_killed_dovecot_comes_back_with_the_same_mail_at_the_same_port() -> None:
    try:
        Dovecot.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with short_directory("postbus-dovecot-") as directory:
        server = Dovecot(directory, storage="maildir", capability="IMAP4rev1 UIDPLUS LITERAL+")
        server.start()
        user = server.new_user()
        server.append(user, "INBOX", [b"Subject: one\r\n\r\n"])
        with server.imap(user) as connection:
            assert "CONDSTORE" not in connection.capabilities
            _, before = connection.status("INBOX", "(UIDVALIDITY UIDNEXT)")
        port = server.imap_port
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            server.imap(user)
        server.start()
        assert server.imap_port == port
        with server.imap(user) as connection:
            _, after = connection.status("INBOX", "(UIDVALIDITY UIDNEXT)")
        assert after == before
        assert server.messages(user) == {1: b"Subject: one\r\n\r\n"}
        server.stop()
        assert _commands_with(str(directory)) == []


def test_a_submitted_message_arrives_in_the_inbox(dovecot: Dovecot, postfix: Postfix) -> None:
    sender, recipient = dovecot.new_user("ada"), dovecot.new_user("grace")
    with smtplib.SMTP("localhost", postfix.submission_port) as smtp:
        smtp.starttls(context=ssl.create_default_context(cafile=str(postfix.certificate)))
        smtp.login(sender, PASSWORD)
        smtp.send_message(letter(sender, recipient, "Lunch on Friday"))
    raw = arrived(dovecot, recipient)
    assert b"Message-ID: <Lunch.on.Friday@postbus.test>" in raw
    assert b"with ESMTPSA" in raw


def test_mail_for_elsewhere_stays_on_this_machine(dovecot: Dovecot, postfix: Postfix) -> None:
    sender, recipient = dovecot.new_user(), dovecot.new_user().replace(DOMAIN, "example.org")
    trust = ssl.create_default_context(cafile=str(postfix.certificate))
    with smtplib.SMTP_SSL("localhost", postfix.submissions_port, context=trust) as smtp:
        smtp.login(sender, PASSWORD)
        smtp.send_message(letter(sender, recipient, "To the world"))
    assert b"Subject: To the world" in arrived(dovecot, recipient)


def test_strangers_reach_the_own_domain_only(dovecot: Dovecot, postfix: Postfix) -> None:
    recipient = dovecot.new_user()
    with smtplib.SMTP(LOOPBACK, postfix.smtp_port) as smtp:
        smtp.send_message(letter("eve@example.net", recipient, "From outside"))
        with pytest.raises(smtplib.SMTPRecipientsRefused, match=r"554, b'5\.7\.1"):
            smtp.send_message(letter("eve@example.net", "bob@example.org", "Relay this"))
    assert b"Subject: From outside" in arrived(dovecot, recipient)


def test_submission_wants_a_login(dovecot: Dovecot, postfix: Postfix) -> None:
    with smtplib.SMTP(LOOPBACK, postfix.submission_port) as smtp:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login(dovecot.new_user(), "wrong")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.send_message(letter("eve@example.net", dovecot.new_user(), "No login"))


@pytest.mark.parametrize(
    ("recipient", "code"), [("unknown.person", 550), ("full", 552), ("busy.bee", 450)]
)
def test_some_recipients_are_refused(
    dovecot: Dovecot, postfix: Postfix, recipient: str, code: int
) -> None:
    sender = dovecot.new_user()
    with smtplib.SMTP(LOOPBACK, postfix.submission_port) as smtp:
        smtp.login(sender, PASSWORD)
        address = f"{recipient}@{DOMAIN}"
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.send_message(letter(sender, address, "Hello"))
    assert refused.value.recipients[address][0] == code


@pytest.mark.skipif(os.geteuid() != 0, reason="postfix starts as root only")
def test_a_stopped_postfix_keeps_its_queue_and_leaves_no_process(dovecot: Dovecot) -> None:
    try:
        Postfix.require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with short_directory("postbus-postfix-") as directory:
        # With no answer at the next hop the message waits.
        server = Postfix(directory, dovecot, extra="virtual_transport = lmtp:unix:/nowhere")
        sender, recipient = dovecot.new_user(), dovecot.new_user()
        with server, smtplib.SMTP(LOOPBACK, server.submission_port) as smtp:
            smtp.login(sender, PASSWORD)
            smtp.send_message(letter(sender, recipient, "Patience"))
        assert _commands_with(str(directory)) == []
        again = Postfix(directory, dovecot)
        with again:
            assert b"Subject: Patience" in arrived(dovecot, recipient)


def _commands_with(text: str) -> list[str]:
    commands = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    return [command for command in commands if text in command]

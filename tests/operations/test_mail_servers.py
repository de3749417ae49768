"""The mail servers of one's own: infra/postfix, infra/dovecot, infra/opendkim and infra/mail."""

import asyncio
import imaplib
import poplib
import re
import smtplib
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from prometheus_client import CollectorRegistry

from infra.postfix_queue import Queue
from tests.operations.recipes import Clone
from tests.servers.process import (
    LOOPBACK,
    ServerFailed,
    ServerUnavailable,
    free_ports,
    short_directory,
)
from tests.servers.stack_mail import (
    Place,
    StackDovecot,
    StackOpendkim,
    StackPostfix,
    require,
)

ADA, GRACE, SECRET = "ada@example.org", "grace@example.org", "correct horse battery"
STRANGER = "someone@elsewhere.example"


class World:
    """The server that Postfix hands over to what is for others."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.refusing = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        if self.refusing:
            return "451 4.3.0 Later"
        self.taken.append(envelope.content)
        return "250 taken"


@dataclass
class Stack:
    place: Place
    postfix: StackPostfix
    dovecot: StackDovecot
    world: World

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.place.certificate))

    def imap(self, user: str, password: str = SECRET) -> imaplib.IMAP4_SSL:
        connection = imaplib.IMAP4_SSL(
            "localhost", self.dovecot.imaps_port, ssl_context=self.trust, timeout=60
        )
        connection.login(user, password)
        return connection

    def submission(self, user: str = ADA, password: str = SECRET) -> smtplib.SMTP:
        connection = smtplib.SMTP("localhost", self.postfix.submission_port, timeout=60)
        connection.starttls(context=self.trust)
        connection.login(user, password)
        return connection

    def plain(self) -> smtplib.SMTP:
        """As another mail server comes."""
        return smtplib.SMTP("localhost", self.postfix.smtp_port, timeout=60)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    try:
        require()
    except ServerUnavailable as reason:
        pytest.skip(str(reason))
    with ExitStack() as running, short_directory("postbus-mail-") as directory:
        place = Place(directory)
        place.admin("domain-add", "example.org")
        place.admin("user-add", ADA, "10M", password=SECRET)
        place.admin("user-add", GRACE, password=SECRET)
        place.admin("alias-add", "postmaster@example.org", ADA)
        world = World()
        (port,) = free_ports(1)
        sink = Controller(world, hostname=LOOPBACK, port=port)
        sink.start()
        running.callback(sink.stop)
        running.enter_context(StackOpendkim(place))
        dovecot = running.enter_context(StackDovecot(place))
        relay = {"POSTFIX_RELAY_HOST": f"[{LOOPBACK}]:{port}"}
        postfix = running.enter_context(StackPostfix(place, **relay))
        yield Stack(place, postfix, dovecot, world)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def letter(subject: str, sender: str = ADA, to: str = GRACE) -> bytes:
    head = f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n"
    return f"{head}Date: Mon, 02 Mar 2026 10:00:00 +0000\r\n\r\nA text.\r\n".encode()


def found(stack: Stack, user: str, subject: str, mailbox: str = "INBOX") -> list[bytes]:
    with stack.imap(user) as connection:
        connection.select(mailbox, readonly=True)
        numbers = connection.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        messages: list[bytes] = []
        for number in numbers:
            part = connection.fetch(number.decode(), "(BODY.PEEK[])")[1][0]
            assert isinstance(part, tuple)
            messages.append(part[1])
        return messages


def test_mail_from_the_world_reaches_a_mailbox_of_ours(stack: Stack) -> None:
    with stack.plain() as connection:
        connection.sendmail(STRANGER, [GRACE, "Ada+Lists@Example.ORG"], letter("From outside"))
    until(lambda: len(found(stack, GRACE, "From outside")) == 1)
    until(lambda: len(found(stack, ADA, "From outside")) == 1)


def test_mail_for_an_alias_reaches_whoever_it_stands_for(stack: Stack) -> None:
    with stack.plain() as connection:
        connection.sendmail(STRANGER, ["postmaster@example.org"], letter("For the postmaster"))
    until(lambda: len(found(stack, ADA, "For the postmaster")) == 1)


def test_nobody_hands_over_what_is_for_others(stack: Stack) -> None:
    for sender in (STRANGER, ADA, "", "root@mx.example.org"):
        for recipient in (
            "victim@elsewhere.example",
            "victim%elsewhere.example@example.org",
            "@example.org:victim@elsewhere.example",
            '"victim@elsewhere.example"@example.org',
            "elsewhere.example!victim",
        ):
            with stack.plain() as connection:
                connection.ehlo()
                assert connection.mail(sender)[0] in (250, 501, 504, 550)
                assert connection.rcpt(recipient)[0] >= 500, (sender, recipient)
    with stack.plain() as connection:
        assert "auth" not in connection.esmtp_features


def test_whom_nobody_knows_is_refused_at_once_and_no_bounce_is_made(stack: Stack) -> None:
    with stack.plain() as connection:
        connection.ehlo()
        connection.mail(STRANGER)
        assert connection.rcpt("nobody@example.org")[0] == 550
        assert connection.verify("ada@example.org")[0] == 502


def test_who_writes_signs_in_first_and_over_tls_only(stack: Stack) -> None:
    with smtplib.SMTP("localhost", stack.postfix.submission_port, timeout=60) as connection:
        connection.ehlo()
        assert "auth" not in connection.esmtp_features
        assert connection.mail(ADA)[0] == 530
        connection.starttls(context=stack.trust)
        connection.ehlo()
        assert connection.mail(ADA)[0] >= 500 or connection.rcpt(GRACE)[0] >= 500
    with pytest.raises(smtplib.SMTPAuthenticationError):
        stack.submission(password="wrong")
    with smtplib.SMTP_SSL(
        "localhost", stack.postfix.submissions_port, context=stack.trust, timeout=60
    ) as connection:
        connection.login(ADA, SECRET)
        connection.sendmail(ADA, [GRACE], letter("By the other port"))
    until(lambda: len(found(stack, GRACE, "By the other port")) == 1)


def test_nobody_writes_as_somebody_else(stack: Stack) -> None:
    with stack.submission() as connection:
        connection.ehlo()
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)):
            connection.sendmail(GRACE, [STRANGER], letter("As Grace", sender=GRACE))
    with stack.submission() as connection:
        connection.sendmail("postmaster@example.org", [GRACE], letter("As an alias of hers"))
    until(lambda: len(found(stack, GRACE, "As an alias of hers")) == 1)


def test_what_goes_out_is_signed_with_the_key_of_its_domain(stack: Stack) -> None:
    stack.place.admin("domain-add", "second.example")
    stack.place.admin("user-add", "bob@second.example", password=SECRET)
    (key,) = (stack.place.state / "dkim/second.example").glob("*.private")
    tables = stack.place.directory / "opendkim/run/keys"
    until(lambda: key.stem in tables.read_text())
    for user, domain in ((ADA, "example.org"), ("bob@second.example", "second.example")):
        (key,) = (stack.place.state / "dkim" / domain).glob("*.private")
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        signed = re.compile(rb"DKIM-Signature:.*?d=" + domain.encode() + rb";.*?s=(\w+)", re.S)

        def arrived(user: str = user, signed: re.Pattern[bytes] = signed) -> bytes | None:
            before = len(stack.world.taken)
            with stack.submission(user) as connection:
                connection.sendmail(user, [STRANGER], letter("Signed", sender=user, to=STRANGER))
            until(lambda: len(stack.world.taken) > before)
            selector = signed.search(stack.world.taken[-1])
            return selector and selector[1]

        # A domain that was added a moment ago is signed for as soon as its table was read.
        until(lambda arrived=arrived, key=key: arrived() == key.stem.encode())


def test_a_message_of_fifty_mebibytes_is_the_largest(stack: Stack) -> None:
    with stack.submission() as connection:
        connection.ehlo()
        assert connection.esmtp_features["size"] == str(50 * 1024 * 1024)
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            connection.sendmail(ADA, [STRANGER], letter("L") + b"x" * 53_000_000)
        assert refused.value.smtp_code == 552


def test_a_mailbox_has_its_special_places_its_quota_and_push(stack: Stack) -> None:
    with stack.imap(ADA) as connection:
        capabilities = connection.capability()[1][0].decode().split()
        assert {"IDLE", "SPECIAL-USE", "QUOTA", "MOVE", "UIDPLUS", "CONDSTORE"} <= set(capabilities)
        listed = b"\n".join(line for line in connection.list()[1] if isinstance(line, bytes))
        for name in (b"Sent", b"Drafts", b"Trash", b"Junk", b"Archive"):
            assert b"\\" + name in listed
        quota = connection.getquotaroot("INBOX")[1][1]
        assert re.search(rb"STORAGE \d+ 10240", b"".join(map(bytes, quota)))
        assert connection.select("INBOX")[0] == "OK"
    assert (stack.dovecot.boxes / "example.org/ada/Maildir/cur").is_dir()


def test_a_mailbox_that_is_full_takes_no_more_and_says_so(stack: Stack) -> None:
    full = "full@example.org"
    stack.place.admin("user-add", full, "1M", password=SECRET)
    with stack.plain() as connection:
        connection.sendmail(STRANGER, [full], letter("Fits") + b"x" * 900_000)
    until(lambda: len(found(stack, full, "Fits")) == 1)
    before = len(stack.world.taken)
    with stack.plain() as connection:
        connection.sendmail(STRANGER, [full], letter("Does not fit") + b"x" * 900_000)
    until(lambda: len(stack.world.taken) > before)
    assert b"uota" in stack.world.taken[-1], "whoever wrote it is told why"
    assert found(stack, full, "Does not fit") == []


def test_nothing_is_read_without_tls(stack: Stack) -> None:
    # From another address than the server's own, which Dovecot takes for safe.
    with socket.create_connection(
        (LOOPBACK, stack.dovecot.sieve_port), timeout=60, source_address=("127.0.0.2", 0)
    ) as connection:
        greeting = connection.recv(4096)
        assert b'"STARTTLS"' in greeting
        assert b'"SASL" ""' in greeting, "no password before TLS"
    reader = poplib.POP3_SSL("localhost", stack.dovecot.pop3s_port, context=stack.trust, timeout=60)
    reader.user(ADA)
    reader.pass_(SECRET)
    reader.quit()
    for port in (stack.dovecot.imaps_port, stack.dovecot.pop3s_port):
        old = stack.trust
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            socket.create_connection((LOOPBACK, port), timeout=60) as connection,
            pytest.raises((ssl.SSLError, ConnectionResetError)),
        ):
            old.wrap_socket(connection, server_hostname="localhost")


def test_a_password_is_kept_as_a_hash_and_can_be_changed(stack: Stack) -> None:
    user = "eve@example.org"
    stack.place.admin("user-add", user, password="first secret")
    users = (stack.place.state / "users").read_text()
    assert "first secret" not in users
    assert f"{user}:{{ARGON2ID}}$argon2id$" in users
    assert stat.S_IMODE((stack.place.state / "users").stat().st_mode) == 0o640
    stack.imap(user, "first secret").logout()
    stack.place.admin("user-password", user, password="second secret")
    until(lambda: signs_in(stack, user, "second secret"))
    assert not signs_in(stack, user, "first secret")
    stack.place.admin("user-remove", user)
    until(lambda: not signs_in(stack, user, "second secret"))
    with stack.plain() as connection:
        connection.ehlo()
        connection.mail(STRANGER)
        assert connection.rcpt(user)[0] == 550


def signs_in(stack: Stack, user: str, password: str) -> bool:
    try:
        stack.imap(user, password).logout()
    except imaplib.IMAP4.error:
        return False
    return True


@pytest.mark.parametrize(
    "words",
    [
        ("user-add", "ada@elsewhere.example"),
        ("user-add", ADA),
        ("user-add", "bad name@example.org"),
        ("user-add", "a:b@example.org"),
        ("user-add", "new@example.org", "much"),
        ("user-add", "postmaster@example.org"),
        ("user-remove", "none@example.org"),
        ("domain-add", "../etc"),
        ("domain-add", "nodots"),
        ("alias-add", ADA, GRACE),
        ("alias-add", "x@example.org", "a b@example.org"),
        ("frobnicate",),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    stack: Stack, words: tuple[str, ...]
) -> None:
    def tables() -> dict[str, bytes]:
        return {
            path.name: path.read_bytes()
            for path in stack.place.state.iterdir()
            if path.is_file() and path.suffix != ".db"
        }

    before = tables()
    with pytest.raises(ServerFailed):
        stack.place.admin(*words, password=SECRET)
    assert tables() == before


def test_the_dns_of_a_domain_is_printed_as_a_zone_has_it(stack: Stack) -> None:
    records = stack.place.admin("domain-dns", "example.org").splitlines()
    assert records[0] == "example.org. IN MX 10 mx.example.org."
    assert records[1] == 'example.org. IN TXT "v=spf1 mx -all"'
    assert re.match(r'p\d+\._domainkey\.example\.org\. IN TXT \( "v=DKIM1; .*k=rsa', records[2])
    assert max(map(len, re.findall(r'"[^"]*"', records[2]))) <= 257
    assert records[3].startswith('_dmarc.example.org. IN TXT "v=DMARC1; ')


def test_what_waits_in_the_queue_is_told_to_prometheus(stack: Stack) -> None:
    showq = Path(stack.postfix.settings["POSTFIX_QUEUE"]) / "public/showq"
    registry = CollectorRegistry()
    registry.register(Queue(showq))

    def told(metric: str, queue: str) -> float:
        return registry.get_sample_value(f"postbus_postfix_queue_{metric}", {"queue": queue}) or 0.0

    assert registry.get_sample_value("postbus_postfix_up") == 1.0
    stack.world.refusing = True
    try:
        with stack.submission() as submission:
            submission.sendmail(ADA, [STRANGER], f"From: {ADA}\r\nSubject: Later\r\n\r\n.\r\n")
        until(lambda: told("messages", "deferred") == 1.0)
        assert told("bytes", "deferred") > 30
        assert 0 < told("oldest_seconds", "deferred") < 300
        assert told("messages", "hold") == 0.0
    finally:
        stack.world.refusing = False
    flush = ["postqueue", "-c", stack.postfix.settings["POSTFIX_ETC"], "-f"]
    subprocess.run(flush, env=stack.place.environment, check=True)
    until(lambda: told("messages", "deferred") + told("messages", "active") == 0.0)


def test_the_queue_is_shown_tried_and_forgotten_by_recipes(stack: Stack, tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    here = {"MAIL_CONFIG": stack.postfix.settings["POSTFIX_ETC"]}

    def recipe(*words: str) -> str:
        done = clone.run(*words, **here)
        assert done.returncode == 0, done.stderr
        assert all(one.startswith("compose exec postfix post") for one in clone.said())
        return done.stdout

    def ids() -> list[str]:
        return re.findall(r"^([0-9A-Za-z]{6,})[*!]? ", recipe("mailq"), re.M)

    before = len(stack.world.taken)
    stack.world.refusing = True
    try:
        for subject in ("Kept", "Forgotten"):
            with stack.submission() as submission:
                submission.sendmail(ADA, [STRANGER], letter(subject, to=STRANGER))
        until(lambda: recipe("mailq").count("451 4.3.0 Later") == 2)
        kept, forgotten = ids()
        recipe("mailq-delete", forgotten)
        assert ids() == [kept]
    finally:
        stack.world.refusing = False
    recipe("mailq-flush")
    until(lambda: "Mail queue is empty" in recipe("mailq"))
    assert len(stack.world.taken) == before + 1


def test_a_postfix_that_is_away_is_told_of_and_counts_nothing(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(Queue(tmp_path / "showq"))
    assert registry.get_sample_value("postbus_postfix_up") == 0.0
    assert registry.get_sample_value("postbus_postfix_queue_messages", {"queue": "hold"}) is None


def test_their_own_checks_find_nothing_wrong(stack: Stack) -> None:
    with short_directory("postbus-check-") as directory:
        place = Place(directory)
        postfix = StackPostfix(place).check()
        assert (postfix.returncode, postfix.stderr) == (0, "")
        for settings in ({}, {"DOVECOT_OAUTH2_INTROSPECTION_URL": "https://id.example.org/"}):
            dovecot = StackDovecot(place, **settings) if not settings else None
            if dovecot is None:
                dovecot = StackDovecot(other(directory), **settings)
            checked = dovecot.check()
            assert (checked.returncode, checked.stderr) == (0, "")


def other(directory: Path) -> Place:
    (directory / "other").mkdir()
    return Place(directory / "other")


async def test_an_oauth2_token_is_asked_about_where_the_operator_says(stack: Stack) -> None:
    asked = asyncio.Event()

    async def introspect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        body = await reader.readexactly(length)
        asked.set()
        good = b"token=good" in body
        answer = b'{"active": %s, "email": "ada@example.org"}' % (b"true" if good else b"false")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(introspect, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]

    def sign_in() -> list[bytes]:
        with short_directory("postbus-oauth-") as directory:
            place = Place(directory)
            place.admin("domain-add", "example.org")
            place.admin("user-add", ADA, password=SECRET)
            url = f"http://{LOOPBACK}:{port}/introspect"
            with StackDovecot(place, DOVECOT_OAUTH2_INTROSPECTION_URL=url) as dovecot:
                trust = ssl.create_default_context(cafile=str(place.certificate))
                told: list[bytes] = []
                for token in ("bad", "good"):
                    connection = imaplib.IMAP4_SSL(
                        "localhost", dovecot.imaps_port, ssl_context=trust, timeout=60
                    )
                    try:
                        words = f"user={ADA}\1auth=Bearer {token}\1\1"
                        connection.authenticate("XOAUTH2", lambda _, words=words: words.encode())
                        told.append(b"in")
                    except imaplib.IMAP4.error:
                        told.append(b"refused")
                    connection.shutdown()
                return told

    async with server:
        assert await asyncio.to_thread(sign_in) == [b"refused", b"in"]
    assert asked.is_set()

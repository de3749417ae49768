"""Against a real Postfix: what it takes arrives, as it was written."""

import asyncio
import os
import random
import re
from collections.abc import Sequence
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default

import fast_mail_parser
import pytest

from services.sync.domain.parse import parse
from shared.contracts.account import Security
from shared.contracts.mail import Address
from shared.contracts.submission import Fate, SubmissionState
from tests.sender.conftest import SOON_SECONDS, Bench
from tests.sender.dying import Killing, Rows, in_a_hurry, until_settled
from tests.sender.faulty import KILLS
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix


async def connect(bench: Bench, postfix: Postfix, user: str, security: Security) -> None:
    port = postfix.submissions_port if security is Security.TLS else postfix.submission_port
    await bench.connect(port=port, security=security, username=user, password=PASSWORD)


async def delivered(dovecot: Dovecot, user: str, count: int = 1) -> list[bytes]:
    """The messages in the user's INBOX, once there are so many."""
    async with asyncio.timeout(30):
        while True:
            found = await asyncio.to_thread(dovecot.messages, user)
            if len(found) >= count:
                return list(found.values())
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("security", list(Security))
async def test_a_message_arrives_as_it_was_written(
    bench: Bench, dovecot: Dovecot, postfix: Postfix, security: Security
):
    ada, bob, eve = dovecot.new_user("ada"), dovecot.new_user("bob"), dovecot.new_user("eve")
    async with bench.sender():
        await connect(bench, postfix, ada, security)
        submission_id = await bench.send(
            Address("Bob Müller, jr.", bob),
            bcc=(Address("Eve", eve),),
            sender=Address("Ada", ada),
            subject="Grüße aus Köln, " * 8,
            text=".a dot\n..two\n.\nÄÖÜ\nFrom here\n",
            html="<p>Grüße</p>",
        )
        accepted = await bench.until(submission_id, SubmissionState.ACCEPTED)
    for user in (bob, eve):
        (raw,) = await delivered(dovecot, user)
        message = message_from_bytes(raw, policy=default)
        assert message["Message-ID"] == f"<{accepted.message_id}>"
        assert message["Subject"] == ("Grüße aus Köln, " * 8).strip()
        assert message["To"].addresses[0].display_name == "Bob Müller, jr."
        text = message.get_body(("plain",))
        assert text is not None
        assert text.get_content().replace("\r\n", "\n") == ".a dot\n..two\n.\nÄÖÜ\nFrom here\n"
        header = raw.split(b"\r\n\r\n")[0].lower()
        assert b"\r\nbcc:" not in header
        ours = header[header.index(b"\r\ndate:") :]  # below what the servers put on top
        assert eve.encode() not in ours


async def test_each_recipient_has_the_fate_that_postfix_gives_it(
    bench: Bench, dovecot: Dovecot, postfix: Postfix
):
    ada, bob = dovecot.new_user("ada"), dovecot.new_user("bob")
    people = (bob, dovecot.new_user("unknown"), dovecot.new_user("full"), dovecot.new_user("busy"))
    async with bench.sender():
        await connect(bench, postfix, ada, Security.STARTTLS)
        submission_id = await bench.send(
            *(Address("", one) for one in people), sender=Address("", ada)
        )
        told = await bench.until(submission_id, SubmissionState.DEFERRED)
    assert [(one.fate, one.code, one.enhanced_code) for one in told.recipients] == [
        (Fate.ACCEPTED, 250, "2.0.0"),
        (Fate.REFUSED, 550, "5.1.1"),
        (Fate.REFUSED, 552, "5.2.2"),
        (Fate.DEFERRED, 450, "4.2.1"),
    ]
    await delivered(dovecot, bob)


async def test_a_wrong_password_is_told_in_the_servers_words(
    bench: Bench, dovecot: Dovecot, postfix: Postfix
):
    ada = dovecot.new_user("ada")
    async with bench.sender():
        await bench.connect(
            port=postfix.submission_port,
            security=Security.STARTTLS,
            username=ada,
            password="wrong",
        )
        told = await bench.until(await bench.send(), SubmissionState.DEFERRED)
    assert told.reason == "auth_failed"
    assert told.server_said is not None
    assert "authentication failed" in told.server_said


async def test_a_certificate_nobody_vouches_for_is_refused_unless_the_account_says_otherwise(
    bench: Bench, dovecot: Dovecot, postfix: Postfix
):
    ada = dovecot.new_user("ada")
    async with bench.sender():
        await bench.connect(
            port=postfix.submissions_port,
            security=Security.TLS,
            username=ada,
            password=PASSWORD,
            verify_certificate=True,
        )
        told = await bench.until(await bench.send(), SubmissionState.DEFERRED)
    assert told.reason == "certificate_invalid"


async def test_three_readers_and_dovecot_find_what_was_sent_with_its_files(
    bench: Bench, dovecot: Dovecot, postfix: Postfix
):
    ada, bob = dovecot.new_user("ada"), dovecot.new_user("bob")
    files = {
        "Bericht für März.pdf": os.urandom(70_000),
        "a.bin": bytes(range(256)),
        "leer.txt": b"",
    }
    name, subject, text = "Bob Müller, jr.", "Grüße aus Köln", ".one\n\n> two\nÄÖÜ\n"
    async with bench.sender():
        await connect(bench, postfix, ada, Security.NONE)
        submission_id = await bench.send(
            Address(name, bob),
            sender=Address("Ada", ada),
            subject=subject,
            text=text,
            html="<p>Grüße</p>",
            enclosures=tuple(
                bench.enclosing(data, name=name, content_type="application/octet-stream")
                for name, data in files.items()
            ),
        )
        await bench.until(submission_id, SubmissionState.ACCEPTED)
    (raw,) = await delivered(dovecot, bob)

    message = message_from_bytes(raw, policy=default)
    attached = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    assert attached == files
    assert (message["Subject"], message["To"].addresses[0].display_name) == (subject, name)
    fast = fast_mail_parser.parse_email(raw)
    assert fast.subject == subject
    assert [bytes(one.content) for one in fast.attachments] == list(files.values())
    ours = parse(raw)
    assert (ours.subject, ours.text.split(), ours.defects) == (subject, text.split(), ())
    assert [(one.name, one.email) for one in ours.to] == [(name, bob)]
    assert [(one.name, one.size_bytes) for one in ours.attachments] == [
        (name, len(data)) for name, data in files.items()
    ]

    # Dovecot reads the header and the form by itself (RFC 9051 §7.5.2).
    with dovecot.imap(bob) as imap:
        imap.select("INBOX", readonly=True)
        _, said = imap.fetch("1", "(ENVELOPE BODYSTRUCTURE)")
        pieces = [one if isinstance(one, bytes) else b" ".join(one) for one in said if one]
        shown = b" ".join(pieces).decode()
        words = str(make_header(decode_header(re.sub(r'"\s+"', " ", shown))))
        assert subject in words
        assert name in words
        # Its parts in their order, and how large each is as it travelled.
        forms = re.findall(r'\("(text|application)" "([a-z-]+)"', shown, re.IGNORECASE)
        assert [f"{kind}/{more}".lower() for kind, more in forms] == [
            "text/plain",
            "text/html",
            *["application/octet-stream"] * 3,
        ]
        for number, data in enumerate(files.values(), 2):
            _, section = imap.fetch("1", f"(BINARY.PEEK[{number}])")
            assert _literal(section) == data


def _literal(said: Sequence[object]) -> bytes:
    """The value of a FETCH answer: imaplib has literals apart, and "" within the line."""
    for one in said:
        if isinstance(one, tuple):
            return bytes(one[1])
    return b""


@pytest.mark.parametrize(
    ("count", "deaths"), [(100, 6), pytest.param(10_000, 60, marks=pytest.mark.long)]
)
async def test_everything_handed_to_postfix_arrives_once_whoever_is_killed_meanwhile(
    bench: Bench, dovecot: Dovecot, postfix: Postfix, count: int, deaths: int
):
    count = int(os.environ.get("POSTBUS_TEST_SUBMISSIONS", count)) if count > 100 else count
    chance = random.Random(count)
    ada, bob = dovecot.new_user("ada"), dovecot.new_user("bob")
    files = [bench.enclosing(chance.randbytes(chance.randrange(30_000))) for _ in range(8)]
    async with bench.sender(sending_enabled=False):
        await connect(bench, postfix, ada, Security.NONE)
        for number in range(count):
            await bench.send(
                Address("", bob),
                sender=Address("", ada),
                subject=str(number),
                enclosures=(files[number % len(files)],),
            )
        await bench.until_row(
            "SELECT count(*) = $1 FROM submission WHERE state = 'queued'",
            count,
            seconds=max(SOON_SECONDS, count),
        )

    victims = [KILLS[number % len(KILLS)] for number in range(deaths)]
    chance.shuffle(victims)
    moments = sorted(chance.sample(range(1, count * 9 // 10), deaths))
    rows = Rows(bench)
    killing = Killing(bench, SENDER_ATTEMPTS_AT_ONCE_PER_ACCOUNT="4", LOG_LEVEL="ERROR")
    async with in_a_hurry(bench), killing.running():
        for moment, victim in zip(moments, victims, strict=True):
            await until_settled(rows, moment)
            await killing.kill(victim)
        await until_settled(rows, count)
    outcome = {
        row["message_id_header"]: row["state"]
        for row in await rows.fetch("SELECT message_id_header, state FROM submission")
    }
    await rows.close()

    async with asyncio.timeout(60 + count / 10):
        while "is empty" not in await asyncio.to_thread(postfix.queue):
            await asyncio.sleep(0.2)
    assert len(outcome) == count
    assert set(outcome.values()) <= {"accepted", "uncertain"}
    accepted = {one for one, state in outcome.items() if state == "accepted"}
    assert len(accepted) >= count - 4 * deaths, "only what was on the wire can be in doubt"
    content = set(bench.uploads.values())
    arrived: list[str] = []
    for raw in (await asyncio.to_thread(dovecot.messages, bob)).values():
        message = message_from_bytes(raw, policy=default)
        arrived.append(message["Message-ID"].strip("<>"))
        (part,) = message.iter_attachments()
        assert part.get_content() in content
    assert len(arrived) == len(set(arrived)), "a message arrived twice"
    assert accepted <= set(arrived) <= set(outcome)

"""Against a real Postfix: what it takes arrives, as it was written."""

import asyncio
from email import message_from_bytes
from email.policy import default

import pytest

from shared.contracts.account import Security
from shared.contracts.mail import Address
from shared.contracts.submission import Fate, SubmissionState
from tests.sender.conftest import Bench
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


async def test_everything_handed_to_postfix_arrives_once_though_sender_is_killed_again_and_again(
    bench: Bench, dovecot: Dovecot, postfix: Postfix
):
    ada, bob = dovecot.new_user("ada"), dovecot.new_user("bob")
    async with bench.sender(sending_enabled=False):
        await connect(bench, postfix, ada, Security.NONE)
        ids = [
            await bench.send(Address("", bob), sender=Address("", ada), subject=str(number))
            for number in range(60)
        ]
        for submission_id in ids:
            await bench.until(submission_id, SubmissionState.QUEUED)
    settled = "SELECT count(*) >= $1 FROM submission WHERE state IN ('accepted', 'uncertain')"
    for so_many in (10, 25, 40):
        async with bench.process(SENDER_ATTEMPTS_AT_ONCE_PER_ACCOUNT="4") as process:
            await bench.until_row(settled, so_many)
            process.kill()
            await process.wait()
    async with bench.process(SENDER_ATTEMPTS_AT_ONCE_PER_ACCOUNT="4"):
        await bench.until_row(settled, len(ids))

    rows = await bench.rows.fetch("SELECT message_id_header, state FROM submission")
    accepted = {row["message_id_header"] for row in rows if row["state"] == "accepted"}
    uncertain = {row["message_id_header"] for row in rows if row["state"] == "uncertain"}
    await delivered(dovecot, bob, len(accepted))
    await asyncio.sleep(1)
    arrived = [(one or "").strip("<>") for one in dovecot.message_ids(bob).values()]
    assert len(arrived) == len(set(arrived)), "a message arrived twice"
    assert accepted <= set(arrived) <= accepted | uncertain
    assert accepted | uncertain == {row["message_id_header"] for row in rows}

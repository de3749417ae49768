"""What the operator switched off waits, and nothing of it is lost."""

import asyncio
from collections import Counter
from email import message_from_bytes
from pathlib import Path

import asyncpg
import httpx
import pytest

from shared.contracts.ids import Kind, read
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, running_stack, until
from tests.stories.walk import connect, pages, until_mailbox, until_state

pytestmark = pytest.mark.story

EARLY = b"From: ada@postbus.test\r\nMessage-ID: <early@postbus.test>\r\nSubject: Early\r\n\r\n"
LATE = b"From: ada@postbus.test\r\nMessage-ID: <late@postbus.test>\r\nSubject: Late\r\n\r\n"
SUBJECTS = ("first", "second")
LOOKING_OFTEN = {"SYNC_HEARTBEAT_SECONDS": "1", "SENDER_POLL_SECONDS": "0.5"}
OFF = {"SYNC_ENABLED": "false", "SENDING_ENABLED": "false"}
HALF = {"SENDING_ENABLED": "false", "SYNC_DIAL_ALLOWED_NETWORKS": ""}


async def a_while() -> None:
    """Longer than any service waits before it looks for work: that nothing happens takes time."""
    await asyncio.sleep(2.5)


async def sends(person: httpx.AsyncClient, account: str, to: str, subject: str) -> str:
    answer = await person.post(
        "/submissions",
        json={"account_id": account, "to": [to], "subject": subject, "text": "Patience.\n"},
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def state_of(person: httpx.AsyncClient, submission: str) -> str:
    return (await person.get(f"/submissions/{submission}")).json()["state"]


async def until_known(stack: Stack, accounts: list[str], submissions: list[str]) -> None:
    """Until the commands have become rows of those who obey them."""
    connection = await asyncpg.connect(stack.superuser_url)

    async def known() -> bool:
        there = await connection.fetchrow(
            """
            SELECT (SELECT count(*) FROM sync.account WHERE account_id = ANY($1)),
                   (SELECT count(*) FROM sender.submission WHERE submission_id = ANY($2))
            """,
            [read(Kind.ACCOUNT, account) for account in accounts],
            [read(Kind.SUBMISSION, submission) for submission in submissions],
        )
        return tuple(there) == (len(accounts), len(submissions))

    try:
        await until("the commands are rows", known)
    finally:
        await connection.close()


async def test_what_is_switched_off_waits_and_is_done_once_when_it_is_switched_on(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix
) -> None:
    ada, grace, gone = (dovecot.new_user(name) for name in ("ada", "grace", "gone"))
    dovecot.append(ada, "INBOX", [EARLY])

    after_ours = dovecot.log.stat().st_size

    def called() -> set[str]:
        """Who of these was signed in to the mail server for, since we last were."""
        said = dovecot.log.read_bytes()[after_ours:].decode()
        return {user for user in (ada, gone) if f"user=<{user}>" in said}

    async with running_stack(tmp_path, **LOOKING_OFTEN, **OFF) as stack, stack.person() as person:
        token = person.headers["Authorization"]
        account = await connect(person, ada, dovecot, postfix, password="mistyped")
        removed = await connect(person, gone, dovecot, postfix)
        submissions = [await sends(person, account, grace, SUBJECTS[0])]
        await until_known(stack, [account, removed], submissions)
        await a_while()
        assert [await state_of(person, one) for one in submissions] == ["queued"]
        for each in (account, removed):
            assert (await person.get(f"/accounts/{each}")).json()["state"] == "connecting"
        # What is changed meanwhile counts; reading what is there goes on.
        answer = await person.patch(
            f"/accounts/{account}", json={"imap": {"password": "open-sesame"}}
        )
        assert answer.status_code == 200, answer.text
        answer = await person.patch(
            f"/accounts/{account}", json={"smtp": {"password": "open-sesame"}}
        )
        assert answer.status_code == 200, answer.text
        assert (await person.delete(f"/accounts/{removed}")).status_code == 204
        assert (await person.get("/search", params={"q": "early"})).json()["items"] == []
        assert dovecot.messages(grace) == {}
        assert called() == set()

    # One of them on, and no way to private networks: the other waits on.
    dovecot.append(ada, "INBOX", [LATE])
    after_ours = dovecot.log.stat().st_size
    async with running_stack(tmp_path, **LOOKING_OFTEN, **HALF) as stack, stack.client() as person:
        person.headers["Authorization"] = token
        refused = await until_state(person, account, "unreachable")
        assert refused["reason"] == "address_refused"
        assert "127.0.0.1" not in refused["server_said"]
        submissions.append(await sends(person, account, grace, SUBJECTS[1]))
        await until_known(stack, [account], submissions)
        await a_while()
        assert [await state_of(person, one) for one in submissions] == ["queued", "queued"]
        assert dovecot.messages(grace) == {}
        assert called() == set()

    async with running_stack(tmp_path, **LOOKING_OFTEN) as stack, stack.client() as person:
        person.headers["Authorization"] = token
        await until_state(person, account, "live")
        inbox = (await until_mailbox(person, account))["id"]

        async def both() -> bool:
            rows = await pages(person, "/messages", mailbox_id=inbox)
            return sorted(row["subject"] for row in rows) == ["Early", "Late"]

        await until("both messages are listed", both)

        async def done() -> bool:
            found = [(await person.get(f"/submissions/{one}")).json() for one in submissions]
            return all(one["state"] == "accepted" and one["filed"] for one in found)

        await until("both submissions are accepted and filed", done)

        async def arrived() -> bool:
            return len(dovecot.messages(grace)) >= len(SUBJECTS)

        await until("both have arrived", arrived)
        await a_while()
        assert called() == {ada}, "an account was called for that was removed before"
        for user, mailbox in ((grace, "INBOX"), (ada, "Sent")):
            subjects = Counter(
                message_from_bytes(raw)["Subject"]
                for raw in dovecot.messages(user, mailbox).values()
            )
            assert subjects == Counter(SUBJECTS), (user, mailbox)
        assert (await person.get(f"/accounts/{removed}")).status_code == 404

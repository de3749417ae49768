"""Four numbers say that nothing is missing; what is lost behind them is found and mended."""

from typing import Any

import asyncpg
import httpx
import pytest

from shared.contracts.ids import Kind, read
from tests.servers.dovecot import Dovecot
from tests.stories.operator import operate
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, mailboxes, pages, until_state

pytestmark = pytest.mark.story

MESSAGES = 60


def letters(count: int) -> list[bytes]:
    return [
        f"From: Ada <ada@postbus.test>\r\nSubject: Number {n}\r\n"
        f"Message-ID: <{n}.proven@postbus.test>\r\n\r\nWord{n} of {n % 7} telescopes.\r\n".encode()
        for n in range(count)
    ]


async def integrity(person: httpx.AsyncClient, account: str) -> dict[str, Any]:
    answer = await person.get(f"/accounts/{account}/integrity")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def until_proven(person: httpx.AsyncClient, account: str) -> dict[str, Any]:
    async def check() -> dict[str, Any] | None:
        found = await integrity(person, account)
        return found if found["agrees"] and found["proven_at"] else None

    return await until("the numbers agree and are proven", check, seconds=120.0)


async def test_what_is_lost_is_found_by_two_audits_and_told_again(
    stack: Stack, dovecot: Dovecot, person: httpx.AsyncClient
) -> None:
    user = dovecot.new_user("proven")
    dovecot.append(user, "INBOX", letters(MESSAGES))
    dovecot.append(user, "Archive", letters(10))
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")

    proven = await until_proven(person, account)
    inbox = next(one for one in proven["mailboxes"] if one["path"] == "INBOX")
    count = MESSAGES
    numbers = ("server", "kept", "listed", "searchable")
    assert {inbox[name] for name in numbers} == {count}
    assert {proven[name] for name in numbers} == {count + 10}
    assert proven["quarantined"] == 0
    assert proven["problems"] == []

    admin = await asyncpg.connect(stack.superuser_url)
    try:
        whose = read(Kind.ACCOUNT, account)
        lost = [
            row["message_id"]
            for row in await admin.fetch(
                "SELECT message_id FROM api.message WHERE account_id = $1 ORDER BY 1 LIMIT 7", whose
            )
        ]
        for table in ("api.message", "indexer.words_live", "indexer.words_arriving"):
            await admin.execute(f"DELETE FROM {table} WHERE message_id = ANY($1)", lost[:5])
        await admin.execute("DELETE FROM indexer.document WHERE message_id = ANY($1)", lost[5:])
        found = await integrity(person, account)
        assert found["agrees"] is False
        assert (found["listed"], found["searchable"]) == (count + 5, count + 3)
        assert found["kept"] == count + 10

        async def mended() -> bool:
            # Nobody waits a day for the next audit here, nor a minute for the second look.
            await admin.execute("UPDATE sync.audit SET due_at = now() WHERE account_id = $1", whose)
            return (await integrity(person, account))["agrees"]

        await until("what was lost is there again", mended, seconds=120.0)
        asked = await admin.fetch(
            """
            SELECT retell_asked_at FROM api.account WHERE account_id = $1
            UNION ALL
            SELECT retell_asked_at FROM indexer.account WHERE account_id = $1
            """,
            whose,
        )
        assert None not in [row["retell_asked_at"] for row in asked]
    finally:
        await admin.close()
    listed = await pages(person, "/messages", account_id=account)
    assert len(listed) == count + 10

    async def counted() -> bool:
        boxes = await mailboxes(person, account)
        return (boxes["INBOX"]["message_count"], boxes["Archive"]["message_count"]) == (count, 10)

    await until("the numbers beside the mailboxes are right again", counted)

    ended, said = await operate(stack, "sync", "audit", account)
    assert (ended, said.splitlines()[-1]) == (0, "audit: 6 of 6 mailboxes are proven"), said
    assert "'INBOX': 60 on the server, 60 kept, 0 quarantined: proven" in said
    assert (await person.post(f"/accounts/{account}:pause")).status_code < 300
    await until_state(person, account, "paused")
    ended, said = await operate(stack, "sync", "audit", account, "--seconds", "5")
    assert (ended, said.count("NOT COMPARED: paused")) == (1, 6), said

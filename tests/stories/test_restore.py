"""The platform is lost, and comes back from its backup on an empty machine."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from infra.backup.sealed import Key
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import ROOT, Stack, running_stack, until
from tests.stories.walk import connect, pages, until_state

pytestmark = [pytest.mark.story, pytest.mark.long]

PASSWORD = "correct horse battery"
LETTER = b"""From: Ada <ada@postbus.test>\r
To: Grace <grace@postbus.test>\r
Subject: Letter %d\r
Message-ID: <letter-%d@postbus.test>\r
Date: Fri, 20 Nov 2026 10:00:00 +0000\r
\r
About telescope%d.\r
"""


def letter(number: int) -> bytes:
    return LETTER % (number, number, number)


async def said(home: Path, *command: str, **environment: str) -> str:
    """What a command answers that an operator gives; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.dev", *command),
        cwd=ROOT,
        env=os.environ | {"POSTBUS_HOME": str(home)} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def submit(person: httpx.AsyncClient, account: str, to: str, **more: object) -> str:
    answer = await person.post(
        "/submissions",
        json={"account_id": account, "to": [to], "subject": "Once", "text": "Only once."} | more,
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def until_sent(person: httpx.AsyncClient, submission: str) -> None:
    async def accepted() -> bool:
        found = (await person.get(f"/submissions/{submission}")).json()
        return found["state"] == "accepted" and found["filed"]

    await until("it is accepted, and a copy is in Sent", accepted)


async def signed_in(stack: Stack, client: httpx.AsyncClient, email: str) -> None:
    async def answered() -> bool:
        answer = await client.post("/auth/login", json={"email": email, "password": PASSWORD})
        if answer.status_code != 200:
            return False
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    await until("somebody signs in", answered)


async def ids_by_subject(person: httpx.AsyncClient, account: str) -> dict[str, str]:
    return {
        one["subject"]: one["id"] for one in await pages(person, "/messages", account_id=account)
    }


async def test_a_platform_comes_back_with_all_mail_and_sends_nothing_again(
    tmp_path: Path, dovecot: Dovecot, postfix: Postfix
) -> None:
    lost, found, backups = tmp_path / "lost", tmp_path / "found", tmp_path / "backups"
    key = Key.new()
    (tmp_path / "key").write_text(key.private)
    lost.mkdir(mode=0o700)
    (lost / "recovery-key.pub").write_text(key.public + "\n")
    ada, grace = dovecot.new_user("ada"), dovecot.new_user("grace")
    dovecot.append(ada, "INBOX", [letter(1), letter(2), letter(3)])
    email = f"{uuid4().hex}@example.org"
    places = {"POSTBUS_BACKUP_DIR": str(backups), "BACKUP_WAL_SECONDS": "0.5"}

    async with running_stack(lost, **places) as stack, stack.client() as person:
        answer = await person.post("/auth/register", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        person.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        account = await connect(person, ada, dovecot, postfix)
        await until_state(person, account, "live")

        async def all_three() -> bool:
            return len(await ids_by_subject(person, account)) == 3

        await until("the letters are listed", all_three)
        # The schedule makes the first set by itself.
        await until("a backup was made", lambda: _sets(backups, 1))
        made = await said(lost, "run", "infra.backup", "now", **places)
        assert "verified" in made
        send_at = datetime.now(UTC) + timedelta(seconds=15)
        due = await submit(person, account, grace, send_at=send_at.isoformat())

        async def scheduled() -> bool:
            return (await person.get(f"/submissions/{due}")).json()["state"] == "scheduled"

        await until("it is scheduled", scheduled)
        before = await ids_by_subject(person, account)
        cursor = (await person.get("/events")).json()["next_cursor"]
        moment = await _moment(stack)
        # Sent by the platform that is lost, after the moment that comes back.
        await until_sent(person, due)
        dovecot.append(ada, "INBOX", [letter(4)])
        await until("what came later is listed", lambda: _lists(person, account, "Letter 4"))
        await _until_in_backups(stack, backups)
    assert len(dovecot.messages(grace)) == 1

    # Mail goes on without us.
    dovecot.append(ada, "INBOX", [letter(5)])
    with dovecot.imap(ada) as imap:
        imap.select("INBOX")
        imap.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
        imap.expunge()

    drill = await said(
        tmp_path / "nowhere", "restore", "--drill", "--from", str(backups), "--key",
        str(tmp_path / "key"),
    )  # fmt: skip
    assert "The backup comes back" in drill
    restored = await said(
        found, "restore", "--from", str(backups), "--key", str(tmp_path / "key"), "--to",
        moment.isoformat(),
    )  # fmt: skip
    assert "Restored" in restored

    async with running_stack(found) as stack, stack.client() as person:
        await signed_in(stack, person, email)
        await until_state(person, account, "live")
        expected = {"Letter 2", "Letter 3", "Letter 4", "Letter 5", "Once"}

        async def caught_up() -> bool:
            return set(await ids_by_subject(person, account)) == expected

        await until("the copy is what the server has", caught_up, seconds=120)
        after = await ids_by_subject(person, account)
        for subject in ("Letter 2", "Letter 3"):
            assert after[subject] == before[subject]
        for number in range(2, 6):
            await until("all is found", lambda number=number: _finds(person, f"telescope{number}"))
        answer = await person.get("/events", params={"after": cursor})
        assert (answer.status_code, answer.json()["code"]) == (410, "log_restarted")

        # The copy in Sent is what proves that it was sent.
        async def settled() -> bool:
            return (await person.get(f"/submissions/{due}")).json()["state"] == "accepted"

        await until("its trace settles what was in doubt", settled)
        # Somebody sends something new: it goes, and alone.
        await until_sent(person, await submit(person, account, grace, subject="Twice"))
    assert len(dovecot.messages(grace)) == 2


async def _sets(backups: Path, count: int) -> bool:
    return len(list(backups.glob("sets/*/manifest.json"))) >= count


async def _lists(person: httpx.AsyncClient, account: str, subject: str) -> bool:
    return subject in await ids_by_subject(person, account)


async def _finds(person: httpx.AsyncClient, query: str) -> bool:
    answer = await person.get("/search", params={"q": query})
    return answer.status_code == 200 and len(answer.json()["items"]) == 1


async def _moment(stack: Stack) -> datetime:
    """Now, as the database stamps what it commits."""
    admin = await asyncpg.connect(stack.superuser_url)
    try:
        return await admin.fetchval("SELECT clock_timestamp()")
    finally:
        await admin.close()


async def _until_in_backups(stack: Stack, backups: Path) -> None:
    """All that is committed now was received, and sealed after that."""
    admin = await asyncpg.connect(stack.superuser_url)
    try:
        written = await admin.fetchval("SELECT pg_current_wal_flush_lsn()::text")

        async def received() -> bool:
            return await admin.fetchval(
                """
                SELECT coalesce(bool_or(write_lsn >= $1::text::pg_lsn), false)
                  FROM pg_stat_replication
                """,
                written,
            )

        await until("WAL was received", received)
    finally:
        await admin.close()
    since = time.time()

    async def sealed() -> bool:
        return any(path.stat().st_mtime > since for path in backups.glob("wal/*/0*.age"))

    await until("WAL was sealed", sealed)

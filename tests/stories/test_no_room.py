"""Where there is no room left: reading and sending go on, and all recovers when there is some."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import nats
import pytest

from infra.dev import programs
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import ROOT, Stack, until
from tests.stories.walk import connect, pages, until_state

pytestmark = pytest.mark.story


def letter(number: int) -> bytes:
    return (
        f"From: Ada <ada@postbus.test>\r\nSubject: Letter {number}\r\n"
        f"Message-ID: <room-{number}@postbus.test>\r\n\r\nAbout {number}.\r\n"
    ).encode()


@asynccontextmanager
async def no_room_for_mail(stack: Stack) -> AsyncGenerator[None]:
    """PostgreSQL says of each message that is to be kept that its disk is full (53100)."""
    admin = await asyncpg.connect(stack.superuser_url)
    try:
        await admin.execute(
            """
            CREATE FUNCTION sync.no_room() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'could not extend file: No space left on device'
                    USING ERRCODE = 'disk_full';
            END $$;
            CREATE TRIGGER no_room BEFORE INSERT ON sync.message_content
                FOR EACH STATEMENT EXECUTE FUNCTION sync.no_room();
            """
        )
        try:
            yield
        finally:
            await admin.execute("DROP FUNCTION sync.no_room CASCADE")
    finally:
        await admin.close()


@asynccontextmanager
async def no_connection_left(stack: Stack) -> AsyncGenerator[None]:
    """Somebody else has every connection that PostgreSQL gives to others than its superuser."""
    url = stack.superuser_url.replace(
        f"postgres:{stack.passwords['postgres']}@",
        f"postbus_admin:{stack.passwords['database_admin']}@",
    )
    held: list[asyncpg.Connection] = []
    try:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                held.append(await asyncpg.connect(url, timeout=20))
        yield
    finally:
        await asyncio.gather(*(one.close() for one in held))


@asynccontextmanager
async def no_room_on_the_bus(stack: Stack, *streams: str) -> AsyncGenerator[None]:
    """What comes new into these streams is refused, as when JetStream's disk is full."""
    admin = await nats.connect(stack.bus_admin_url)
    js = admin.jetstream()
    kept = {name: (await js.stream_info(name)).config for name in streams}
    try:
        for config in kept.values():
            await js.update_stream(config.evolve(max_bytes=1))
        try:
            yield
        finally:
            for config in kept.values():
                await js.update_stream(config)
    finally:
        await admin.close()


async def waiting_in_outbox(stack: Stack) -> float:
    """Facts of sync that are not told yet, as its metrics say."""
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{stack.port + programs.LISTEN}/metrics"
        text = (await client.get(url)).text
    name = 'postbus_bus_outbox_waiting_events{service="sync"}'
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name))


async def subjects(person: httpx.AsyncClient, account: str) -> set[str]:
    return {one["subject"] for one in await pages(person, "/messages", account_id=account)}


async def submit(person: httpx.AsyncClient, account: str, to: str) -> str:
    answer = await person.post(
        "/submissions",
        json={"account_id": account, "to": [to], "subject": "Sent anyway", "text": "Hello."},
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def until_accepted(person: httpx.AsyncClient, submission: str) -> None:
    async def accepted() -> bool:
        found = await person.get(f"/submissions/{submission}")
        return found.json()["state"] == "accepted"

    await until("it is accepted", accepted)


async def test_while_the_disk_is_full_reading_and_sending_go_on_and_then_mail_comes(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    user, grace = dovecot.new_user(), dovecot.new_user("grace")
    dovecot.append(user, "INBOX", [letter(1)])
    account = await connect(person, user, dovecot, postfix)
    await until_state(person, account, "live")

    async def listed(*wanted: str) -> bool:
        return set(wanted) <= await subjects(person, account)

    await until("the first is listed", lambda: listed("Letter 1"))
    async with no_room_for_mail(stack):
        dovecot.append(user, "INBOX", [letter(2)])
        (message, *_) = await pages(person, "/messages", account_id=account)
        assert "About 1." in (await person.get(f"/messages/{message['id']}")).json()["text"]
        await until_accepted(person, await submit(person, account, grace))
        assert "Letter 2" not in await subjects(person, account)
    await until("what could not be kept comes", lambda: listed("Letter 1", "Letter 2"))


async def test_while_streams_are_full_first_copies_wait_and_people_read_and_send(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    user, late, grace = dovecot.new_user(), dovecot.new_user("late"), dovecot.new_user("grace")
    dovecot.append(user, "INBOX", [letter(1)])
    dovecot.append(late, "INBOX", [letter(7), letter(8)])
    account = await connect(person, user, dovecot, postfix)
    await until_state(person, account, "live")

    async def listed(account: str, *wanted: str) -> bool:
        return set(wanted) <= await subjects(person, account)

    await until("the first is listed", lambda: listed(account, "Letter 1"))
    async with no_room_on_the_bus(stack, "FILL", "MAIL"):
        second = await connect(person, late, dovecot, postfix)
        dovecot.append(user, "INBOX", [letter(2)])

        async def waits() -> bool:
            return await waiting_in_outbox(stack) >= 2

        await until("what cannot be told waits, and is counted", waits)
        (message, *_) = await pages(person, "/messages", account_id=account)
        assert "About 1." in (await person.get(f"/messages/{message['id']}")).json()["text"]
        submission = await submit(person, account, grace)

        async def arrived() -> bool:
            return len(await asyncio.to_thread(dovecot.messages, grace)) == 1

        # That it was taken is told later; it is with whom it was for.
        await until("it has arrived", arrived)
        assert not await subjects(person, second)
    await until("what waited comes", lambda: listed(account, "Letter 1", "Letter 2"))
    await until("the first copy ends", lambda: listed(second, "Letter 7", "Letter 8"))
    await until_accepted(person, submission)
    assert len(dovecot.messages(grace)) == 1


async def test_while_all_connections_are_taken_people_read_and_all_goes_on_after(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [letter(1)])
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")

    async def reads() -> bool:
        answer = await person.get("/messages", params={"account_id": account})
        # Who finds no connection says so, and when to ask again.
        assert answer.status_code == 200 or "Retry-After" in answer.headers, answer.text
        return answer.status_code == 200 and bool(answer.json()["items"])

    await until("it is listed", reads)
    async with no_connection_left(stack):
        await until("people read by the connections that are there", reads)
    dovecot.append(user, "INBOX", [letter(2)])

    async def both() -> bool:
        return await reads() and await subjects(person, account) == {"Letter 1", "Letter 2"}

    await until("new mail comes", both, seconds=120)


async def test_health_tells_of_everything_that_runs(stack: Stack) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.dev", "health"),
        cwd=ROOT,
        env=os.environ | {"POSTBUS_HOME": str(stack.home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    for told in ("accounts: ", "dead letters: ", "mail to be sent: ", "disk: ", "memory: api "):
        assert told in said, said
    for name in ("sync-listen", "sync-answer", "sender", "indexer", "api", "nats", "postgres"):
        assert name in said, said

"""Rows of a listener are lost in the middle of life; told again, none is missing or different."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio

from services.indexer.domain.document import document_of, kept_of
from services.indexer.domain.told import keywords_of
from services.indexer.store.codec import teach_tsvector
from shared.contracts.ids import Kind, read, shown
from shared.contracts.mail import State
from tests.servers.dovecot import Dovecot
from tests.stories.busy_mailbox import (
    KeptMessage,
    Life,
    kept,
    letters,
    until_all_is_told,
    uuids,
)
from tests.stories.operator import operate
from tests.stories.stack import Stack
from tests.stories.walk import connect, until_state

pytestmark = pytest.mark.story

BUSY_MESSAGES, QUIET_MESSAGES = 250, 40
Rows = dict[UUID, dict[str, Any]]


@dataclass(frozen=True)
class Ground:
    """An account on which life goes on, and another tenant's on which nothing happens."""

    busy: str
    quiet: str
    busy_person: httpx.AsyncClient
    quiet_person: httpx.AsyncClient
    life: Life
    users: dict[str, str]  # by account


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground(stack: Stack, dovecot: Dovecot) -> AsyncIterator[Ground]:
    async with stack.person() as one, stack.person() as other:
        busy, quiet = dovecot.new_user("busy"), dovecot.new_user("quiet")
        all_letters = letters(BUSY_MESSAGES)
        dovecot.append(busy, "INBOX", all_letters[:-50])
        dovecot.append(busy, "Archive", all_letters[-50:])
        dovecot.append(quiet, "INBOX", letters(QUIET_MESSAGES))
        accounts = [await connect(one, busy, dovecot), await connect(other, quiet, dovecot)]
        for person, account in zip((one, other), accounts, strict=True):
            await until_state(person, account, "live")
        users = dict(zip(accounts, (busy, quiet), strict=True))
        await until_all_is_told(stack, dovecot, users)
        yield Ground(*accounts, one, other, Life(dovecot, busy), users)


@pytest_asyncio.fixture(loop_scope="session")
async def admin(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(stack.superuser_url)
    await teach_tsvector(connection)
    try:
        yield connection
    finally:
        await connection.close()


async def retell(stack: Stack, service: str, *arguments: str) -> None:
    """As `./just retell SERVICE` does."""
    ended, said = await operate(stack, service, "retell", *arguments)
    assert ended == 0, said
    assert "generation" in said


async def lose(admin: asyncpg.Connection, service: str, keep: Sequence[str]) -> None:
    """All rows of a service but those that nobody could tell it again."""
    tables = await admin.fetch(
        """
        SELECT tablename FROM pg_tables
         WHERE schemaname = $1 AND tablename <> ALL($2) ORDER BY tablename
        """,
        service,
        ["migration", "outbox", *keep],
    )
    names = ", ".join(f"{service}.{row['tablename']}" for row in tables)
    while True:
        try:
            await admin.execute(f"TRUNCATE {names}")
            return
        except asyncpg.DeadlockDetectedError:
            continue  # the service was about to write; it is asked to wait next time


# --- What the indexer has, and what it would have had it lost nothing ----------------------------


# A message's words stand in one of two tables.
WORDS = "(TABLE indexer.words_live UNION ALL TABLE indexer.words_arriving)"


async def documents(admin: asyncpg.Connection, *accounts: str) -> Rows:
    """All the indexer knows of the messages of these accounts that can be found or will be."""
    rows = await admin.fetch(
        f"""
        SELECT message_id, document.tenant_id, document.account_id, revision, mailbox_id,
               thread_id, keywords, has_content, document.received_at, size_bytes, is_whole,
               words::text AS words, held.received_at AS words_at,
               subject, sender, recipients_to, recipients_cc, recipients_bcc, filenames, list_id,
               header_id, preview, body, attachment_count
          FROM indexer.document
          LEFT JOIN {WORDS} AS held USING (message_id)
          LEFT JOIN indexer.document_text USING (message_id)
         WHERE document.account_id = ANY($1) AND vanished_at IS NULL
        """,
        uuids(*accounts),
    )
    return {row["message_id"]: dict(row) for row in rows}


async def documents_of(admin: asyncpg.Connection, truth: dict[UUID, KeptMessage]) -> Rows:
    """What the indexer would know of these messages if each had been told once."""
    rows: Rows = {}
    for message_id, message in truth.items():
        text = kept_of(message.content)
        document = document_of(text)
        words = document.tsvector(message.tenant_id, message.account_id)
        state = State(
            mailbox_id=message.mailbox_id, keywords=message.keywords, thread_id=message.thread_id
        )
        rows[message_id] = {
            "message_id": message_id,
            "tenant_id": message.tenant_id,
            "account_id": message.account_id,
            "revision": message.revision,
            "mailbox_id": message.mailbox_id,
            "thread_id": message.thread_id,
            "keywords": keywords_of(state),
            "has_content": True,
            "received_at": message.content.received_at,
            "size_bytes": message.content.size_bytes,
            "is_whole": document.is_whole,
            "words": await admin.fetchval("SELECT $1::tsvector::text", words),
            "words_at": message.content.received_at,
            "subject": text.subject,
            "sender": text.sender,
            "recipients_to": text.recipients_to,
            "recipients_cc": text.recipients_cc,
            "recipients_bcc": text.recipients_bcc,
            "filenames": text.filenames,
            "list_id": text.list_id,
            "header_id": text.header_id,
            "preview": text.preview,
            "body": text.body,
            "attachment_count": text.attachment_count,
        }
    return rows


def assert_same(found: Rows, expected: Rows) -> None:
    """Row by row, so that a failure names what differs."""
    assert found.keys() - expected.keys() == set(), "rows too many"
    assert expected.keys() - found.keys() == set(), "rows missing"
    for key, row in expected.items():
        assert found[key] == row


def unchanged(before: Rows, after: Rows) -> Rows:
    """The rows of messages that nothing happened to."""
    return {
        key: row
        for key, row in before.items()
        if key in after and after[key]["revision"] == row["revision"]
    }


async def test_a_lost_index_is_told_again_in_the_middle_of_life(
    stack: Stack, ground: Ground, dovecot: Dovecot, admin: asyncpg.Connection
) -> None:
    both = (ground.busy, ground.quiet)
    before = await documents(admin, *both)
    assert_same(before, await documents_of(admin, await kept(admin, *both)))

    async with ground.life.going_on():
        await ground.life.until_more(1)
        await lose(admin, "indexer", keep=[])
        lost = await documents(admin, ground.quiet)
        await ground.life.until_more(2)  # told to somebody who knows nothing
        assert (await ground.busy_person.get("/search", params={"q": "news"})).status_code == 200
        await retell(stack, "indexer")
        await ground.life.until_more(5)
    await until_all_is_told(stack, dovecot, ground.users)

    assert lost == {}
    truth = await kept(admin, *both)
    after = await documents(admin, *both)
    assert_same(after, await documents_of(admin, truth))
    # Of what nothing happened to, every row is as it was, whatever our own code says it should be.
    same = unchanged(before, after)
    assert len(same) > QUIET_MESSAGES
    assert_same({key: after[key] for key in same}, same)
    # Of what is gone nothing can be read, and nothing waits for a content that never comes.
    orphans = await admin.fetchval(
        f"""
        SELECT count(*) FROM {WORDS} AS held FULL JOIN indexer.document_text USING (message_id)
         WHERE message_id NOT IN (SELECT message_id FROM indexer.document WHERE has_content)
        """
    )
    assert orphans == 0
    news = [m for m in truth.values() if m.content.subject.startswith("News ")]
    for message in news[:3]:
        answer = await ground.busy_person.get(
            "/search", params={"q": f'subject:"{message.content.subject}"'}
        )
        found = [one["id"] for one in answer.json()["items"]]
        assert shown(Kind.MESSAGE, message.message_id) in found
    answer = await ground.quiet_person.get("/search", params={"q": "subject:news from:life"})
    assert answer.json()["items"] == []


async def test_one_account_is_told_again_and_no_row_of_another_is_touched(
    stack: Stack, ground: Ground, dovecot: Dovecot, admin: asyncpg.Connection
) -> None:
    async def versions() -> list[tuple[Any, ...]]:
        rows = await admin.fetch(
            "SELECT message_id, xmin::text FROM indexer.document WHERE account_id = $1 ORDER BY 1",
            *uuids(ground.quiet),
        )
        return [tuple(row) for row in rows]

    untouched = await versions()
    before = await documents(admin, ground.busy, ground.quiet)
    for table in (
        "document",
        "words_arriving",
        "words_live",
        "document_text",
        "retelling",
        "account",
    ):
        await admin.execute(
            f"DELETE FROM indexer.{table} WHERE account_id = $1", *uuids(ground.busy)
        )
    # A row that the server knows nothing of goes, too.
    stray = UUID(int=before.popitem()[0].int ^ 1)
    before = {**before, **await documents(admin, ground.quiet)}
    await admin.execute(
        """
        INSERT INTO indexer.document (message_id, tenant_id, account_id, revision)
        SELECT $1, tenant_id, account_id, 1 FROM sync.clock WHERE account_id = $2
        """,
        stray,
        *uuids(ground.busy),
    )
    await retell(stack, "indexer", "--account", ground.busy)
    await until_all_is_told(stack, dovecot, ground.users)
    after = await documents(admin, ground.busy, ground.quiet)
    assert stray not in after
    assert_same(after, await documents_of(admin, await kept(admin, ground.busy, ground.quiet)))
    assert await versions() == untouched


# --- The same for what the api shows --------------------------------------------------------------


async def shown_messages(admin: asyncpg.Connection, *accounts: str) -> Rows:
    rows = await admin.fetch(
        """
        SELECT message_id, tenant_id, account_id, revision, mailbox_id, thread_id, keywords,
               received_at, content_id, subject, sender_name, sender_email, rfc_message_id,
               sent_at, size_bytes, preview, has_html, attachment_count, details::text, listed,
               unread
          FROM api.message
         WHERE account_id = ANY($1)
           AND (vanished_revision IS NULL OR vanished_revision < attested_revision)
        """,
        uuids(*accounts),
    )
    return {row["message_id"]: dict(row) for row in rows}


async def shown_mailboxes(admin: asyncpg.Connection, *accounts: str) -> Rows:
    rows = await admin.fetch(
        "SELECT * FROM api.mailbox WHERE account_id = ANY($1)",
        uuids(*accounts),
    )
    return {row["mailbox_id"]: dict(row) for row in rows}


async def events_since(person: httpx.AsyncClient, cursor: str) -> tuple[list[Any], str]:
    """What the log says behind this cursor, and where it ends."""
    found: list[Any] = []
    while True:
        answer = await person.get("/events", params={"after": cursor, "limit": 200})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        cursor = page["next_cursor"]
        if not page["more"]:
            return found, cursor


async def test_a_lost_projection_is_told_again_and_the_log_does_not_hear_of_it(
    stack: Stack, ground: Ground, dovecot: Dovecot, admin: asyncpg.Connection
) -> None:
    both = (ground.busy, ground.quiet)
    before, boxes_before = await shown_messages(admin, *both), await shown_mailboxes(admin, *both)
    known_before = set(await kept(admin, *both))
    _, busy_mark = await events_since(ground.busy_person, "earliest")
    _, quiet_mark = await events_since(ground.quiet_person, "earliest")

    async with ground.life.going_on():
        await ground.life.until_more(1)
        # People, their accounts, what they sent and the log itself are nobody's to tell again.
        await admin.execute("TRUNCATE api.message, api.mailbox, api.retelling")
        lost = await shown_messages(admin, ground.quiet)
        await ground.life.until_more(2)
        await retell(stack, "api")
        await ground.life.until_more(5)
    await until_all_is_told(stack, dovecot, ground.users)

    assert lost == {}
    truth = await kept(admin, *both)
    after, boxes = await shown_messages(admin, *both), await shown_mailboxes(admin, *both)
    assert after.keys() == truth.keys()
    for message_id, message in truth.items():
        row, content = after[message_id], message.content
        assert row["revision"] == message.revision
        assert row["mailbox_id"] == message.mailbox_id
        assert row["thread_id"] == message.thread_id
        assert set(row["keywords"]) == message.keywords
        assert row["received_at"] == content.received_at
        assert row["subject"] == content.subject.replace("\0", "")
        assert row["size_bytes"] == content.size_bytes
        assert row["listed"]
    same = unchanged(before, after)
    assert len(same) > QUIET_MESSAGES
    assert_same({key: after[key] for key in same}, same)

    # Mailboxes and the numbers beside them.
    numbers = ("message_count", "unread_count")
    for mailbox_id, row in boxes.items():
        inside = [message for message in after.values() if message["mailbox_id"] == mailbox_id]
        assert row["message_count"] == len(inside)
        assert row["unread_count"] == sum(message["unread"] for message in inside)
        for name in row.keys() - {*numbers, "revision"}:
            assert row[name] == boxes_before[mailbox_id][name]
    assert boxes.keys() == boxes_before.keys()

    # The log: of the quiet account nothing, of the other one what happened to it and no more.
    told, _ = await events_since(ground.quiet_person, quiet_mark)
    assert [(event["type"], event["data"]) for event in told] == []
    told, _ = await events_since(ground.busy_person, busy_mark)
    assert {event["type"] for event in told} <= {
        "message.received",
        "message.updated",
        "message.moved",
        "message.deleted",
    }
    received = [
        read(Kind.MESSAGE, event["data"]["id"])
        for event in told
        if event["type"] == "message.received"
    ]
    assert len(received) == len(set(received)), "received twice"
    assert not known_before & set(received), "received again"
    new = {message_id for message_id in truth if message_id not in known_before}
    assert new <= set(received), "came and was not told"

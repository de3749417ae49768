"""Messages: what is kept of them, and what is left when they are gone."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.sync.domain.kept import KeptContent
from services.sync.store.places import LABEL_SEPARATOR, joined_keywords, joined_labels
from shared.contracts.mail import Arrival
from shared.db import Connection


class NewMessage(Struct, frozen=True, kw_only=True):
    """A message to keep."""

    message_id: UUID
    uid: int
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID
    conversation: str | None  # the server's own id of it
    content_id: bytes
    fingerprint: bytes
    match_key: bytes | None
    email_id: str | None
    arrival: Arrival
    size_bytes: int
    received_at: datetime
    kept: KeptContent


class Whole(Struct, frozen=True, kw_only=True):
    """A message as it is told: state and packed content."""

    message_id: UUID
    mailbox_id: UUID | None
    revision: int
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID
    content_id: bytes
    arrival: Arrival
    content: bytes  # packed
    body: bytes  # packed


async def keep(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    mailbox_id: UUID,
    revision: int,
    messages: Sequence[NewMessage],
) -> None:
    """Keep these messages with all they say."""
    await connection.execute(
        """
        INSERT INTO message (message_id, tenant_id, account_id, mailbox_id, uid, revision, keywords,
                             labels, thread_id, conversation, content_id, fingerprint, match_key,
                             email_id, arrival, size_bytes, received_at)
        SELECT message_id, $1, $2, $3, uid, $4, string_to_array(keywords, ' '),
               string_to_array(labels, $5), thread_id, conversation, content_id, fingerprint,
               match_key, email_id, arrival, size_bytes, received_at
          FROM unnest($6::uuid[], $7::bigint[], $8::text[], $9::text[], $10::uuid[], $11::text[],
                      $12::bytea[], $13::bytea[], $14::bytea[], $15::text[], $16::text[],
                      $17::bigint[], $18::timestamptz[])
            AS come (message_id, uid, keywords, labels, thread_id, conversation, content_id,
                     fingerprint, match_key, email_id, arrival, size_bytes, received_at)
        """,
        tenant_id,
        account_id,
        mailbox_id,
        revision,
        LABEL_SEPARATOR,
        [message.message_id for message in messages],
        [message.uid for message in messages],
        [joined_keywords(message.keywords) for message in messages],
        [joined_labels(message.labels) for message in messages],
        [message.thread_id for message in messages],
        [message.conversation for message in messages],
        [message.content_id for message in messages],
        [message.fingerprint for message in messages],
        [message.match_key for message in messages],
        [message.email_id for message in messages],
        [message.arrival.value for message in messages],
        [message.size_bytes for message in messages],
        [message.received_at for message in messages],
    )
    await connection.execute(
        """
        INSERT INTO message_content (message_id, tenant_id, account_id, content, body)
        SELECT message_id, $1, $2, content, body
          FROM unnest($3::uuid[], $4::bytea[], $5::bytea[]) AS come (message_id, content, body)
        """,
        tenant_id,
        account_id,
        [message.message_id for message in messages],
        [message.kept.content for message in messages],
        [message.kept.body for message in messages],
    )


async def vanish(connection: Connection, message_ids: Sequence[UUID], revision: int) -> None:
    """These messages are gone for good; their ids are never used again."""
    await connection.execute(
        """
        INSERT INTO tombstone (message_id, tenant_id, account_id, revision)
        SELECT message_id, tenant_id, account_id, $2 FROM message WHERE message_id = ANY($1)
        ON CONFLICT DO NOTHING
        """,
        list(message_ids),
        revision,
    )
    await connection.execute("DELETE FROM message WHERE message_id = ANY($1)", list(message_ids))
    await connection.execute(
        "DELETE FROM message_content WHERE message_id = ANY($1)", list(message_ids)
    )


async def forget_tombstones(connection: Connection, days: int) -> None:
    """Tombstones have done their work after so many days."""
    await connection.execute(
        "DELETE FROM tombstone WHERE vanished_at < now() - make_interval(days => $1)", days
    )


async def whole_after(
    connection: Connection, account_id: UUID, after: UUID | None, limit: int
) -> list[Whole]:
    """The account's messages in the order of their ids, whole, from after this one."""
    rows = await connection.fetch(
        """
        SELECT message_id, mailbox_id, revision, keywords, labels, thread_id, content_id, arrival,
               content, body
          FROM message JOIN message_content USING (message_id)
         WHERE message.account_id = $1 AND message_id > $2
         ORDER BY message_id LIMIT $3
        """,
        account_id,
        after or UUID(int=0),
        limit,
    )
    return [_whole(row) for row in rows]


def _whole(row: asyncpg.Record) -> Whole:
    return Whole(
        message_id=row["message_id"],
        mailbox_id=row["mailbox_id"],
        revision=row["revision"],
        keywords=frozenset(row["keywords"]),
        labels=frozenset(row["labels"]),
        thread_id=row["thread_id"],
        content_id=row["content_id"],
        arrival=Arrival(row["arrival"]),
        content=row["content"],
        body=row["body"],
    )


async def body(connection: Connection, tenant_id: UUID, message_id: UUID) -> bytes | None:
    """A message's packed text, HTML and headers, if the caller may see it."""
    return await connection.fetchval(
        """
        SELECT body FROM message_content
         WHERE tenant_id = $1 AND message_id = $2
        """,
        tenant_id,
        message_id,
    )

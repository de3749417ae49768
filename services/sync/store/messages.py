"""Messages: where they are, how they are marked, and all they say."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.sync.domain.kept import KeptContent
from shared.contracts.mail import Arrival
from shared.db import Connection


class Placed(Struct, frozen=True, kw_only=True):
    """A message's place and marks."""

    message_id: UUID
    uid: int
    keywords: frozenset[str]
    thread_id: UUID


class Unplaced(Struct, frozen=True, kw_only=True):
    """A message without a place, waiting to be found again."""

    message_id: UUID
    mailbox_id: UUID | None
    fingerprint: bytes
    thread_id: UUID
    keywords: frozenset[str]


class Twin(Struct, frozen=True, kw_only=True):
    """Where a message went that was seen there before it was missed where it was."""

    message_id: UUID  # under which it was told when it was seen
    mailbox_id: UUID
    uid: int
    keywords: frozenset[str]
    thread_id: UUID  # of the message that lost its place


class NewMessage(Struct, frozen=True, kw_only=True):
    """A message to keep."""

    message_id: UUID
    uid: int
    keywords: frozenset[str]
    thread_id: UUID
    content_id: bytes
    fingerprint: bytes
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
    thread_id: UUID
    content_id: bytes
    arrival: Arrival
    content: bytes  # packed


async def placed(connection: Connection, mailbox_id: UUID) -> dict[int, Placed]:
    """Every message with a place in this mailbox, by UID."""
    rows = await connection.fetch(
        """
        SELECT message_id, uid, keywords, thread_id FROM message
         WHERE mailbox_id = $1 AND uid IS NOT NULL
        """,
        mailbox_id,
    )
    return {
        row["uid"]: Placed(
            message_id=row["message_id"],
            uid=row["uid"],
            keywords=frozenset(row["keywords"]),
            thread_id=row["thread_id"],
        )
        for row in rows
    }


async def kept_uids(connection: Connection, mailbox_id: UUID, uids: Sequence[int]) -> set[int]:
    """Which of these UIDs are kept or quarantined already."""
    rows = await connection.fetch(
        """
        SELECT uid FROM message WHERE mailbox_id = $1 AND uid = ANY($2)
        UNION ALL
        SELECT uid FROM quarantine WHERE mailbox_id = $1 AND uid = ANY($2)
        """,
        mailbox_id,
        list(uids),
    )
    return {row["uid"] for row in rows}


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
                             thread_id, content_id, fingerprint, arrival, size_bytes, received_at)
        SELECT message_id, $1, $2, $3, uid, $4, string_to_array(keywords, ' '), thread_id,
               content_id, fingerprint, arrival, size_bytes, received_at
          FROM unnest($5::uuid[], $6::bigint[], $7::text[], $8::uuid[], $9::bytea[],
                      $10::bytea[], $11::text[], $12::bigint[], $13::timestamptz[])
            AS come (message_id, uid, keywords, thread_id, content_id, fingerprint, arrival,
                     size_bytes, received_at)
        """,
        tenant_id,
        account_id,
        mailbox_id,
        revision,
        [message.message_id for message in messages],
        [message.uid for message in messages],
        [_joined(message.keywords) for message in messages],
        [message.thread_id for message in messages],
        [message.content_id for message in messages],
        [message.fingerprint for message in messages],
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


def _joined(keywords: frozenset[str]) -> str:
    # A keyword is an atom (RFC 9051 §9): it holds no space, and arrays of arrays are no type.
    return " ".join(sorted(keywords))


async def mark(
    connection: Connection, revision: int, marks: Sequence[tuple[UUID, frozenset[str]]]
) -> None:
    """These messages are marked so."""
    await connection.execute(
        """
        UPDATE message SET keywords = string_to_array(told.keywords, ' '), revision = $1
          FROM unnest($2::uuid[], $3::text[]) AS told (message_id, keywords)
         WHERE message.message_id = told.message_id
        """,
        revision,
        [message_id for message_id, _ in marks],
        [_joined(keywords) for _, keywords in marks],
    )


async def unplace(connection: Connection, message_ids: Sequence[UUID], revision: int) -> None:
    """These messages were expunged where they were; they may turn up elsewhere."""
    await connection.execute(
        """
        UPDATE message SET mailbox_id = NULL, uid = NULL, unplaced_at = now(), revision = $2
         WHERE message_id = ANY($1)
        """,
        list(message_ids),
        revision,
    )


async def unnumber(connection: Connection, mailbox_id: UUID) -> None:
    """The mailbox was renumbered: its messages stay where they are, their UIDs mean nothing."""
    await connection.execute(
        """
        UPDATE message SET uid = NULL, unplaced_at = now()
         WHERE mailbox_id = $1 AND uid IS NOT NULL
        """,
        mailbox_id,
    )
    await connection.execute("DELETE FROM quarantine WHERE mailbox_id = $1", mailbox_id)


async def unplaced_like(
    connection: Connection, account_id: UUID, fingerprints: Sequence[bytes]
) -> list[Unplaced]:
    """Messages without a place that are like one of these, oldest first."""
    rows = await connection.fetch(
        """
        SELECT message_id, mailbox_id, fingerprint, thread_id, keywords FROM message
         WHERE account_id = $1 AND uid IS NULL AND fingerprint = ANY($2)
         ORDER BY message_id
        """,
        account_id,
        list(fingerprints),
    )
    return [
        Unplaced(
            message_id=row["message_id"],
            mailbox_id=row["mailbox_id"],
            fingerprint=row["fingerprint"],
            thread_id=row["thread_id"],
            keywords=frozenset(row["keywords"]),
        )
        for row in rows
    ]


async def twins_since(
    connection: Connection, account_id: UUID, lost: Sequence[UUID], since: datetime
) -> dict[UUID, Twin]:
    """For messages that lost their place: a copy that came elsewhere since this moment."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (twin.message_id)
               lost.message_id AS lost_id, lost.thread_id, twin.message_id, twin.mailbox_id,
               twin.uid, twin.keywords
          FROM message AS lost
          JOIN message AS twin USING (account_id, fingerprint)
         WHERE account_id = $1 AND lost.message_id = ANY($2) AND lost.uid IS NULL
           AND twin.uid IS NOT NULL AND twin.kept_at > $3
         ORDER BY twin.message_id, lost.message_id
        """,
        account_id,
        list(lost),
        since,
    )
    return {
        row["lost_id"]: Twin(
            message_id=row["message_id"],
            mailbox_id=row["mailbox_id"],
            uid=row["uid"],
            keywords=frozenset(row["keywords"]),
            thread_id=row["thread_id"],
        )
        for row in rows
    }


async def place(
    connection: Connection,
    mailbox_id: UUID,
    revision: int | None,
    found: Sequence[tuple[UUID, int, frozenset[str]]],
) -> None:
    """These messages (id, UID, keywords) were found again, here.

    Without a revision nothing but the UID changed, which is ours alone.
    """
    if not found:
        return
    await connection.execute(
        """
        UPDATE message SET mailbox_id = $1, uid = found.uid, unplaced_at = NULL,
                           keywords = string_to_array(found.keywords, ' '),
               revision = coalesce($2, message.revision)
          FROM unnest($3::uuid[], $4::bigint[], $5::text[]) AS found (message_id, uid, keywords)
         WHERE message.message_id = found.message_id
        """,
        mailbox_id,
        revision,
        [message_id for message_id, _, _ in found],
        [uid for _, uid, _ in found],
        [_joined(keywords) for _, _, keywords in found],
    )


async def lost_since(connection: Connection, account_id: UUID, before: datetime) -> list[UUID]:
    """Messages that had no place when a round over all mailboxes began, and found none in it.

    A message of a renumbered mailbox that is still being read is not among them.
    """
    rows = await connection.fetch(
        """
        SELECT message_id FROM message
          LEFT JOIN mailbox USING (mailbox_id)
         WHERE message.account_id = $1 AND message.uid IS NULL AND message.unplaced_at < $2
           AND (message.mailbox_id IS NULL OR mailbox.copied_at IS NOT NULL
                OR mailbox.gone_at IS NOT NULL)
         ORDER BY message_id LIMIT 500
        """,
        account_id,
        before,
    )
    return [row["message_id"] for row in rows]


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


async def unplace_mailboxes(
    connection: Connection, mailbox_ids: Sequence[UUID], revision: int
) -> list[tuple[UUID, frozenset[str], UUID]]:
    """The mailboxes are gone, and their messages without a place: (id, keywords, thread)."""
    rows = await connection.fetch(
        """
        UPDATE message SET mailbox_id = NULL, uid = NULL, unplaced_at = now(), revision = $2
         WHERE mailbox_id = ANY($1)
        RETURNING message_id, keywords, thread_id
        """,
        list(mailbox_ids),
        revision,
    )
    return [(row["message_id"], frozenset(row["keywords"]), row["thread_id"]) for row in rows]


async def forget_tombstones(connection: Connection, days: int) -> None:
    """Tombstones have done their work after so many days."""
    await connection.execute(
        "DELETE FROM tombstone WHERE vanished_at < now() - make_interval(days => $1)", days
    )


async def quarantine(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    mailbox_id: UUID,
    cases: Sequence[tuple[int, str, int | None]],
) -> None:
    """These UIDs (uid, reason, size in bytes) are there and could not be kept."""
    await connection.executemany(
        """
        INSERT INTO quarantine (mailbox_id, uid, tenant_id, account_id, reason, size_bytes)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (mailbox_id, uid) DO UPDATE
           SET reason = excluded.reason, noticed_at = now()
        """,
        [
            (mailbox_id, uid, tenant_id, account_id, reason[:500], size)
            for uid, reason, size in cases
        ],
    )


async def whole_after(
    connection: Connection, account_id: UUID, after: UUID | None, limit: int
) -> list[Whole]:
    """The account's messages in the order of their ids, whole, from after this one."""
    rows = await connection.fetch(
        """
        SELECT message_id, mailbox_id, revision, keywords, thread_id, content_id, arrival, content
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
        thread_id=row["thread_id"],
        content_id=row["content_id"],
        arrival=Arrival(row["arrival"]),
        content=row["content"],
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

"""Where messages are: placed in a mailbox under a UID, or adrift until they are found again."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.sync.domain.covered import Covered
from services.sync.domain.reunion import DRAFT, Looks, Seeker
from shared.db import Connection

#: Between labels, which may hold spaces.
LABEL_SEPARATOR = "\x1f"


class Placed(Struct, frozen=True, kw_only=True):
    """A message's place and marks."""

    message_id: UUID
    uid: int
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID


class Adrift(Struct, frozen=True, kw_only=True):
    """A message without a place."""

    seeker: Seeker
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID


class Marks(Struct, frozen=True, kw_only=True):
    """How a message is marked."""

    message_id: UUID
    keywords: frozenset[str]
    labels: frozenset[str]


class Place(Struct, frozen=True, kw_only=True):
    """A place for a message, and how it is marked there."""

    message_id: UUID
    uid: int
    keywords: frozenset[str]
    labels: frozenset[str]
    match_key: bytes | None = None  # as it is listed there, if that is known


_PLACED = "message_id, uid, keywords, labels, thread_id"


def _placed(row: asyncpg.Record) -> Placed:
    return Placed(
        message_id=row["message_id"],
        uid=row["uid"],
        keywords=frozenset(row["keywords"]),
        labels=frozenset(row["labels"]),
        thread_id=row["thread_id"],
    )


async def placed_after(
    connection: Connection, mailbox_id: UUID, after: int, limit: int
) -> list[Placed]:
    """The messages of a mailbox above this UID, in order."""
    rows = await connection.fetch(
        f"""
        SELECT {_PLACED} FROM message
         WHERE mailbox_id = $1 AND uid > $2 ORDER BY uid LIMIT $3
        """,  # noqa: S608 - columns from above
        mailbox_id,
        after,
        limit,
    )
    return [_placed(row) for row in rows]


async def placed_at(
    connection: Connection, mailbox_id: UUID, uids: Sequence[int]
) -> dict[int, Placed]:
    """The messages of a mailbox that have these UIDs."""
    rows = await connection.fetch(
        f"SELECT {_PLACED} FROM message WHERE mailbox_id = $1 AND uid = ANY($2)",  # noqa: S608
        mailbox_id,
        list(uids),
    )
    return {row["uid"]: _placed(row) for row in rows}


async def placed_within(
    connection: Connection, mailbox_id: UUID, covered: Covered, limit: int
) -> list[Placed]:
    """Some of the messages of a mailbox whose UIDs are in this set."""
    bounds = covered.bounds()
    rows = await connection.fetch(
        f"""
        SELECT {_PLACED} FROM message
          JOIN unnest($2::bigint[], $3::bigint[]) AS span (lower, upper)
            ON mailbox_id = $1 AND uid >= span.lower AND uid < span.upper
         LIMIT $4
        """,  # noqa: S608 - columns from above
        mailbox_id,
        [lower for lower, _ in bounds],
        [upper for _, upper in bounds],
        limit,
    )
    return [_placed(row) for row in rows]


async def kept_uids(connection: Connection, mailbox_id: UUID, uids: Sequence[int]) -> set[int]:
    """Which of these UIDs are kept already."""
    rows = await connection.fetch(
        "SELECT uid FROM message WHERE mailbox_id = $1 AND uid = ANY($2)", mailbox_id, list(uids)
    )
    return {row["uid"] for row in rows}


async def accounted_for(connection: Connection, mailbox_id: UUID, uids: Sequence[int]) -> set[int]:
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


async def count(connection: Connection, mailbox_id: UUID) -> int:
    """How many messages of a mailbox are kept or quarantined."""
    return await connection.fetchval(
        """
        SELECT (SELECT count(*) FROM message WHERE mailbox_id = $1 AND uid IS NOT NULL)
             + (SELECT count(*) FROM quarantine WHERE mailbox_id = $1)
        """,
        mailbox_id,
    )


#: The messages of `mailbox` by which it is known again, of however many: its newest, and others
#: from all over it, since the newest are the first that somebody moves away.
SAMPLED = """
    SELECT uid, email_id, match_key, fingerprint, keywords
      FROM (SELECT uid, email_id, match_key, fingerprint, keywords,
                   row_number() OVER (ORDER BY uid DESC) AS place, count(*) OVER () AS count
              FROM message
             WHERE message.mailbox_id = mailbox.mailbox_id AND uid IS NOT NULL) AS kept
     WHERE place <= 5 OR place % ((count + 44) / 45) = 0
    """


async def sample(connection: Connection, mailbox_id: UUID) -> dict[int, Looks]:
    """By what some fifty messages of a mailbox, or all if it has fewer, would be known again."""
    rows = await connection.fetch(
        f"""
        SELECT sampled.* FROM mailbox CROSS JOIN LATERAL ({SAMPLED}) AS sampled
         WHERE mailbox_id = $1
        """,  # noqa: S608 - the statement from above
        mailbox_id,
    )
    return {row["uid"]: _looks(row) for row in rows}


async def mark(connection: Connection, revision: int, marks: Sequence[Marks]) -> None:
    """These messages are marked so."""
    await connection.execute(
        f"""
        UPDATE message SET keywords = string_to_array(told.keywords, ' '),
                           labels = string_to_array(told.labels, '{LABEL_SEPARATOR}'),
                           revision = $1
          FROM unnest($2::uuid[], $3::text[], $4::text[]) AS told (message_id, keywords, labels)
         WHERE message.message_id = told.message_id
        """,  # noqa: S608 - the separator from above
        revision,
        [one.message_id for one in marks],
        [joined_keywords(one.keywords) for one in marks],
        [joined_labels(one.labels) for one in marks],
    )


def joined_keywords(keywords: frozenset[str]) -> str:
    """Keywords as one text: each is an atom (RFC 9051 §9) and holds no space."""
    return " ".join(sorted(keywords))


def joined_labels(labels: frozenset[str]) -> str:
    """Labels as one text (arrays of arrays are no type)."""
    return LABEL_SEPARATOR.join(sorted(labels))


async def any_adrift(connection: Connection, account_id: UUID) -> bool:
    """Whether some message of the account has no place."""
    return await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM message WHERE account_id = $1 AND uid IS NULL)", account_id
    )


async def adrift_like(
    connection: Connection, account_id: UUID, looks: Sequence[Looks]
) -> list[Adrift]:
    """Messages without a place that may be one of these."""
    rows = await connection.fetch(
        """
        SELECT message_id, mailbox_id, last_uid, email_id, match_key, fingerprint, thread_id,
               keywords, labels
          FROM message
         WHERE account_id = $1 AND uid IS NULL
           AND message_id IN (
                SELECT message_id FROM message
                 WHERE account_id = $1 AND uid IS NULL AND email_id = ANY($2)
                UNION ALL
                SELECT message_id FROM message
                 WHERE account_id = $1 AND uid IS NULL AND match_key = ANY($3)
                UNION ALL
                SELECT message_id FROM message
                 WHERE account_id = $1 AND uid IS NULL AND fingerprint = ANY($4))
        """,
        account_id,
        [one.email_id for one in looks if one.email_id is not None],
        [one.match_key for one in looks if one.match_key is not None and not one.draft],
        [one.fingerprint for one in looks if one.fingerprint is not None],
    )
    return [
        Adrift(
            seeker=Seeker(row["message_id"], row["mailbox_id"], row["last_uid"] or 0, _looks(row)),
            keywords=frozenset(row["keywords"]),
            labels=frozenset(row["labels"]),
            thread_id=row["thread_id"],
        )
        for row in rows
    ]


def _looks(row: asyncpg.Record) -> Looks:
    return Looks(
        email_id=row["email_id"],
        match_key=row["match_key"],
        fingerprint=row["fingerprint"],
        draft=DRAFT in row["keywords"],
    )


async def place(
    connection: Connection, mailbox_id: UUID, revision: int | None, found: Sequence[Place]
) -> None:
    """These messages were found again, here.

    Without a revision nothing but the UID changed, which is ours alone. A message that was known
    again by what it says may be listed with another date now: it is known by that from here on.
    """
    if not found:
        return
    await connection.execute(
        f"""
        UPDATE message SET mailbox_id = $1, uid = found.uid, unplaced_at = NULL, last_uid = NULL,
                           last_seen_at = NULL, sought_until = NULL,
                           keywords = string_to_array(found.keywords, ' '),
                           labels = string_to_array(found.labels, '{LABEL_SEPARATOR}'),
                           match_key = coalesce(found.match_key, message.match_key),
                           revision = coalesce($2, message.revision)
          FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bytea[])
            AS found (message_id, uid, keywords, labels, match_key)
         WHERE message.message_id = found.message_id
        """,  # noqa: S608 - the separator from above
        mailbox_id,
        revision,
        [one.message_id for one in found],
        [one.uid for one in found],
        [joined_keywords(one.keywords) for one in found],
        [joined_labels(one.labels) for one in found],
        [one.match_key for one in found],
    )


async def renumbered(connection: Connection, mailbox_id: UUID, since: datetime) -> tuple[int, int]:
    """Of a mailbox matched anew: how many messages were matched, and how many fetched."""
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE kept_at < $2) AS matched,
               count(*) FILTER (WHERE kept_at >= $2) AS fetched
          FROM message WHERE mailbox_id = $1 AND uid IS NOT NULL
        """,
        mailbox_id,
        since,
    )
    return (row["matched"], row["fetched"]) if row else (0, 0)

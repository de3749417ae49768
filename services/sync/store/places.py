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


class Twin(Struct, frozen=True, kw_only=True):
    """Where a message went that was seen there before it was missed where it was."""

    message_id: UUID  # under which it was told when it was seen
    mailbox_id: UUID
    uid: int
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID  # of the message that lost its place


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


async def newest(connection: Connection, mailbox_id: UUID, limit: int) -> dict[int, Looks]:
    """By what the newest messages of a mailbox would be known again."""
    rows = await connection.fetch(
        """
        SELECT uid, email_id, match_key, fingerprint, keywords FROM message
         WHERE mailbox_id = $1 AND uid IS NOT NULL ORDER BY uid DESC LIMIT $2
        """,
        mailbox_id,
        limit,
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


async def unplace(connection: Connection, message_ids: Sequence[UUID], revision: int) -> None:
    """These messages were expunged where they were; they may turn up elsewhere."""
    await connection.execute(
        """
        UPDATE message SET mailbox_id = NULL, last_uid = uid, uid = NULL, unplaced_at = now(),
                           revision = $2
         WHERE message_id = ANY($1)
        """,
        list(message_ids),
        revision,
    )


async def unnumber(connection: Connection, mailbox_id: UUID) -> None:
    """The mailbox was renumbered: its messages stay where they are, their UIDs mean nothing."""
    await connection.execute(
        """
        UPDATE message SET last_uid = uid, uid = NULL, unplaced_at = now()
         WHERE mailbox_id = $1 AND uid IS NOT NULL
        """,
        mailbox_id,
    )
    await connection.execute("DELETE FROM quarantine WHERE mailbox_id = $1", mailbox_id)


async def unplace_mailboxes(
    connection: Connection, mailbox_ids: Sequence[UUID], revision: int
) -> list[tuple[UUID, frozenset[str], frozenset[str], UUID]]:
    """The mailboxes are gone, their messages adrift: (id, keywords, labels, thread)."""
    rows = await connection.fetch(
        """
        UPDATE message SET mailbox_id = NULL, last_uid = coalesce(uid, last_uid), uid = NULL,
                           unplaced_at = now(), revision = $2
         WHERE mailbox_id = ANY($1)
        RETURNING message_id, keywords, labels, thread_id
        """,
        list(mailbox_ids),
        revision,
    )
    return [
        (
            row["message_id"],
            frozenset(row["keywords"]),
            frozenset(row["labels"]),
            row["thread_id"],
        )
        for row in rows
    ]


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


async def twins_since(
    connection: Connection, account_id: UUID, lost: Sequence[UUID], since: datetime
) -> dict[UUID, Twin]:
    """For messages that lost their place: a copy that came elsewhere since this moment."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (twin.message_id)
               lost.message_id AS lost_id, lost.thread_id, twin.message_id, twin.mailbox_id,
               twin.uid, twin.keywords, twin.labels
          FROM message AS lost
          JOIN message AS twin
            ON twin.account_id = $1 AND twin.uid IS NOT NULL AND twin.kept_at > $3
           AND twin.message_id > $4
           AND CASE WHEN lost.email_id IS NOT NULL AND twin.email_id IS NOT NULL
                    THEN lost.email_id = twin.email_id
                    ELSE lost.fingerprint = twin.fingerprint END
         WHERE lost.account_id = $1 AND lost.message_id = ANY($2) AND lost.uid IS NULL
         ORDER BY twin.message_id, lost.message_id
        """,
        account_id,
        list(lost),
        since,
        _first_id_of(since),
    )
    twins: dict[UUID, Twin] = {}
    for row in reversed(rows):  # of several copies the last one is the move
        twins.setdefault(
            row["lost_id"],
            Twin(
                message_id=row["message_id"],
                mailbox_id=row["mailbox_id"],
                uid=row["uid"],
                keywords=frozenset(row["keywords"]),
                labels=frozenset(row["labels"]),
                thread_id=row["thread_id"],
            ),
        )
    return twins


def _first_id_of(moment: datetime) -> UUID:
    """No message kept after this moment has a smaller id: they carry their time (RFC 9562 §5.7).

    A minute is allowed for clocks that differ.
    """
    milliseconds = max(0, int((moment.timestamp() - 60) * 1000))
    return UUID(int=milliseconds << 80)


async def place(
    connection: Connection, mailbox_id: UUID, revision: int | None, found: Sequence[Place]
) -> None:
    """These messages were found again, here.

    Without a revision nothing but the UID changed, which is ours alone.
    """
    if not found:
        return
    await connection.execute(
        f"""
        UPDATE message SET mailbox_id = $1, uid = found.uid, unplaced_at = NULL, last_uid = NULL,
                           keywords = string_to_array(found.keywords, ' '),
                           labels = string_to_array(found.labels, '{LABEL_SEPARATOR}'),
                           revision = coalesce($2, message.revision)
          FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::text[])
            AS found (message_id, uid, keywords, labels)
         WHERE message.message_id = found.message_id
        """,  # noqa: S608 - the separator from above
        mailbox_id,
        revision,
        [one.message_id for one in found],
        [one.uid for one in found],
        [joined_keywords(one.keywords) for one in found],
        [joined_labels(one.labels) for one in found],
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


async def renumbered(
    connection: Connection, mailbox_id: UUID, since: datetime
) -> tuple[int, int, int]:
    """Of a mailbox matched anew: how many messages were matched, fetched, and are still adrift."""
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE uid IS NOT NULL AND kept_at < $2) AS matched,
               count(*) FILTER (WHERE uid IS NOT NULL AND kept_at >= $2) AS fetched,
               count(*) FILTER (WHERE uid IS NULL) AS adrift
          FROM message WHERE mailbox_id = $1
        """,
        mailbox_id,
        since,
    )
    return (row["matched"], row["fetched"], row["adrift"]) if row else (0, 0, 0)

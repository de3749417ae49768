"""Messages that lost their place: how they lose it, and where they may have gone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from msgspec import Struct

from shared.db import Connection


class Unplaced(Struct, frozen=True, kw_only=True):
    """A message whose mailbox is not what it was, and how it is marked."""

    message_id: UUID
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID


class Lost(Struct, frozen=True, kw_only=True):
    """A message that found no place in a round over all mailboxes."""

    message_id: UUID
    last_uid: int
    thread_id: UUID
    sought: bool  # not to be given up yet


class Twin(Struct, frozen=True, kw_only=True):
    """A message told as new since another that is like it was last seen where that one was."""

    message_id: UUID
    mailbox_id: UUID
    uid: int
    keywords: frozenset[str]
    labels: frozenset[str]
    kept_at: datetime


#: When a message that is about to lose its place was last known to be there: when it was kept,
#: when its mailbox was compared, or, where that could be read, when the last round began.
_LAST_SEEN = """
    greatest(message.kept_at, (
        SELECT greatest(box.compared_at, CASE WHEN box.trouble IS NULL THEN round_began_at END)
          FROM mailbox AS box LEFT JOIN account_state USING (account_id)
         WHERE box.mailbox_id = message.mailbox_id))
"""


async def unplace(connection: Connection, message_ids: Sequence[UUID], revision: int) -> None:
    """These messages were expunged where they were; they may turn up elsewhere."""
    await connection.execute(
        f"""
        UPDATE message SET mailbox_id = NULL, last_uid = uid, uid = NULL, unplaced_at = now(),
                           last_seen_at = {_LAST_SEEN}, revision = $2
         WHERE message_id = ANY($1)
        """,  # noqa: S608 - the expression from above
        list(message_ids),
        revision,
    )


async def unnumber(connection: Connection, mailbox_id: UUID) -> None:
    """The mailbox was renumbered: its messages stay where they are, their UIDs mean nothing."""
    await connection.execute(
        f"""
        UPDATE message SET last_uid = uid, uid = NULL, unplaced_at = now(),
                           last_seen_at = {_LAST_SEEN}
         WHERE mailbox_id = $1 AND uid IS NOT NULL
        """,  # noqa: S608 - the expression from above
        mailbox_id,
    )
    await connection.execute("DELETE FROM quarantine WHERE mailbox_id = $1", mailbox_id)


async def unplace_mailboxes(
    connection: Connection, mailbox_ids: Sequence[UUID], revision: int, sought: timedelta
) -> list[Unplaced]:
    """The mailboxes are gone, their messages adrift; not given up for so long."""
    rows = await connection.fetch(
        f"""
        UPDATE message SET mailbox_id = NULL, last_uid = coalesce(uid, last_uid), uid = NULL,
                           unplaced_at = now(), last_seen_at = coalesce(last_seen_at, {_LAST_SEEN}),
                           revision = $2, sought_until = now() + $3::interval
         WHERE mailbox_id = ANY($1)
        RETURNING message_id, keywords, labels, thread_id
        """,  # noqa: S608 - the expression from above
        list(mailbox_ids),
        revision,
        sought,
    )
    await connection.execute("DELETE FROM quarantine WHERE mailbox_id = ANY($1)", list(mailbox_ids))
    return [_unplaced(row) for row in rows]


async def unplace_unmatched(
    connection: Connection, mailbox_id: UUID, revision: int, sought: timedelta
) -> list[Unplaced]:
    """These of a renumbered mailbox were not known again in it.

    They may be in one that is not listed yet, so they are not given up for so long.
    """
    rows = await connection.fetch(
        """
        UPDATE message SET mailbox_id = NULL, unplaced_at = now(), revision = $2,
                           sought_until = now() + $3::interval
         WHERE mailbox_id = $1 AND uid IS NULL
        RETURNING message_id, keywords, labels, thread_id
        """,
        mailbox_id,
        revision,
        sought,
    )
    return [_unplaced(row) for row in rows]


def _unplaced(row: asyncpg.Record) -> Unplaced:
    return Unplaced(
        message_id=row["message_id"],
        keywords=frozenset(row["keywords"]),
        labels=frozenset(row["labels"]),
        thread_id=row["thread_id"],
    )


async def lost_since(
    connection: Connection, account_id: UUID, before: datetime, after: UUID, limit: int
) -> list[Lost]:
    """Messages that had no place when a round over all mailboxes began, and found none in it.

    In the order of their ids, from after this one. A message of a renumbered mailbox that is still
    being read is not among them.
    """
    rows = await connection.fetch(
        """
        SELECT message_id, last_uid, thread_id, coalesce(sought_until > now(), false) AS sought
          FROM message LEFT JOIN mailbox USING (mailbox_id)
         WHERE message.account_id = $1 AND message.uid IS NULL AND message.unplaced_at < $2
           AND message_id > $3
           AND (message.mailbox_id IS NULL OR mailbox.copied_at IS NOT NULL
                OR mailbox.gone_at IS NOT NULL)
         ORDER BY message_id LIMIT $4
        """,
        account_id,
        before,
        after,
        limit,
    )
    return [
        Lost(
            message_id=row["message_id"],
            last_uid=row["last_uid"] or 0,
            thread_id=row["thread_id"],
            sought=row["sought"],
        )
        for row in rows
    ]


async def twins(
    connection: Connection, account_id: UUID, lost: Sequence[UUID]
) -> list[tuple[UUID, Twin]]:
    """For messages that lost their place: what was told as new since they were last seen there."""
    since = await connection.fetchval(
        "SELECT min(last_seen_at) FROM message WHERE account_id = $1 AND message_id = ANY($2)",
        account_id,
        list(lost),
    )
    if since is None:
        return []
    rows = await connection.fetch(
        """
        WITH lost AS (
            SELECT message_id AS lost_id, email_id, fingerprint, last_seen_at FROM message
             WHERE account_id = $1 AND message_id = ANY($2)),
        young AS (
            SELECT message_id, mailbox_id, uid, keywords, labels, email_id, fingerprint, kept_at
              FROM message WHERE account_id = $1 AND uid IS NOT NULL AND message_id > $3)
        SELECT lost_id, young.* FROM lost JOIN young
            ON young.email_id = lost.email_id AND kept_at > last_seen_at
        UNION ALL
        SELECT lost_id, young.* FROM lost JOIN young
            ON young.fingerprint = lost.fingerprint AND kept_at > last_seen_at
           AND (young.email_id IS NULL OR lost.email_id IS NULL)
        """,
        account_id,
        list(lost),
        _first_id_of(since),
    )
    return [
        (
            row["lost_id"],
            Twin(
                message_id=row["message_id"],
                mailbox_id=row["mailbox_id"],
                uid=row["uid"],
                keywords=frozenset(row["keywords"]),
                labels=frozenset(row["labels"]),
                kept_at=row["kept_at"],
            ),
        )
        for row in rows
    ]


def _first_id_of(moment: datetime) -> UUID:
    """No message kept after this moment has a smaller id: they carry their time (RFC 9562 §5.7).

    A minute is allowed for clocks that differ.
    """
    milliseconds = max(0, int((moment.timestamp() - 60) * 1000))
    return UUID(int=milliseconds << 80)

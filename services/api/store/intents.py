"""What is wanted of messages and not settled yet, beside what sync has told of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.changes import Shown, changes_of
from services.api.domain.told import LABEL_SEPARATOR
from shared.contracts.intent import MailboxChange, MessageChange, Step
from shared.db import Connection

Key: TypeAlias = tuple[UUID, UUID]  # tenant and message

_steps = msgspec.json.Decoder(tuple[Step, ...])
_mailbox = msgspec.json.Decoder(MailboxChange)


class Kept(Struct, frozen=True, kw_only=True):
    """An intent as it was asked for."""

    intent_id: UUID
    account_id: UUID
    job_id: UUID
    seq: int
    steps: tuple[Step, ...]
    mailbox: MailboxChange | None
    message_count: int | None = None  # of the job, where it is not what it changes


class Overlaid(Struct, frozen=True, kw_only=True):
    """A message of which something is wanted, or was until just now."""

    tenant_id: UUID
    account_id: UUID
    message_id: UUID
    told: Shown  # by sync, the newest
    revision: int  # of that
    newer: bool  # than what was known of it
    now: Shown  # as the row has it
    changes: list[MessageChange]


async def next_seq(connection: Connection, tenant_id: UUID, account_id: UUID) -> int:
    """The next number of an account's intents; none is given twice, and none is left out."""
    return await connection.fetchval(
        """
        INSERT INTO intent_clock AS known (tenant_id, account_id, seq) VALUES ($1, $2, 1)
        ON CONFLICT (tenant_id, account_id) DO UPDATE SET seq = known.seq + 1
        RETURNING seq
        """,
        tenant_id,
        account_id,
    )


async def hold(
    connection: Connection, tenant_id: UUID, account_id: UUID, message_ids: Collection[UUID]
) -> dict[UUID, Shown]:
    """Those of these messages that there are, as shown; nobody changes them before the commit."""
    rows = await connection.fetch(
        """
        SELECT message_id, mailbox_id, keywords, labels FROM message
         WHERE tenant_id = $1 AND account_id = $2 AND message_id = ANY($3)
           AND received_at IS NOT NULL
         ORDER BY message_id FOR UPDATE
        """,
        tenant_id,
        account_id,
        list(message_ids),
    )
    return {row["message_id"]: _shown(row, "") for row in rows}


async def add(connection: Connection, tenant_id: UUID, intent: Kept) -> None:
    """Remember an intent, and how the messages it is about are shown before it."""
    await connection.execute(
        """
        INSERT INTO intent (tenant_id, intent_id, account_id, job_id, seq, steps, mailbox,
                            message_count)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        tenant_id,
        intent.intent_id,
        intent.account_id,
        intent.job_id,
        intent.seq,
        msgspec.json.encode(intent.steps).decode(),
        None if intent.mailbox is None else msgspec.json.encode(intent.mailbox).decode(),
        intent.message_count,
    )
    ids = sorted({one for step in intent.steps for one in step.message_ids})
    await connection.execute(
        """
        INSERT INTO confirmed (tenant_id, message_id, account_id, revision, mailbox_id, keywords,
                               labels)
        SELECT tenant_id, message_id, account_id, revision, mailbox_id, keywords, labels
          FROM message
         WHERE tenant_id = $1 AND account_id = $2 AND message_id = ANY($3)
         ORDER BY message_id
        ON CONFLICT DO NOTHING
        """,
        tenant_id,
        intent.account_id,
        ids,
    )
    await connection.execute(
        """
        INSERT INTO intent_message (tenant_id, intent_id, message_id, account_id, seq,
                                    was_mailbox_id, was_keywords, was_labels)
        SELECT tenant_id, $4, message_id, account_id, $5, mailbox_id, keywords, labels
          FROM message
         WHERE tenant_id = $1 AND account_id = $2 AND message_id = ANY($3)
         ORDER BY message_id
        """,
        tenant_id,
        intent.account_id,
        ids,
        intent.intent_id,
        intent.seq,
    )


async def by_id(connection: Connection, tenant_id: UUID, intent_id: UUID) -> Kept | None:
    """The intent, unless it is forgotten."""
    row = await connection.fetchrow(
        f"{_KEPT} WHERE tenant_id = $1 AND intent_id = $2", tenant_id, intent_id
    )
    return row and _kept(row)


async def last_before(
    connection: Connection, tenant_id: UUID, job_id: UUID, before: UUID | None
) -> Kept | None:
    """The last intent of a job, or the last before this one."""
    row = await connection.fetchrow(
        f"""
        {_KEPT}
         WHERE tenant_id = $1 AND job_id = $2
           AND ($3::uuid IS NULL OR seq < (SELECT seq FROM intent
                                            WHERE tenant_id = $1 AND intent_id = $3))
         ORDER BY seq DESC LIMIT 1
        """,  # noqa: S608 - columns from below
        tenant_id,
        job_id,
        before,
    )
    return row and _kept(row)


async def was(connection: Connection, tenant_id: UUID, intent_id: UUID) -> dict[UUID, Shown]:
    """How the messages of an intent were shown before it."""
    rows = await connection.fetch(
        """
        SELECT message_id, was_mailbox_id, was_keywords, was_labels FROM intent_message
         WHERE tenant_id = $1 AND intent_id = $2
        """,
        tenant_id,
        intent_id,
    )
    return {row["message_id"]: _shown(row, "was_") for row in rows}


async def settle(connection: Connection, tenant_id: UUID, intent_id: UUID) -> bool:
    """The intent has come to its end; False for one that had before."""
    settled = await connection.fetchval(
        """
        UPDATE intent SET settled_at = now()
         WHERE tenant_id = $1 AND intent_id = $2 AND settled_at IS NULL RETURNING true
        """,
        tenant_id,
        intent_id,
    )
    if settled:
        await connection.execute(
            "UPDATE intent_message SET pending = false WHERE tenant_id = $1 AND intent_id = $2",
            tenant_id,
            intent_id,
        )
    return bool(settled)


async def overlaid(connection: Connection, keys: Iterable[Key]) -> list[Overlaid]:
    """Those of these messages of which something is wanted, or was; their rows are held."""
    wanted = list(keys)
    rows = await connection.fetch(
        """
        SELECT tenant_id, message_id, confirmed.account_id,
               message.revision > confirmed.revision AS newer,
               greatest(message.revision, confirmed.revision) AS revision,
               confirmed.mailbox_id AS told_mailbox_id, confirmed.keywords AS told_keywords,
               confirmed.labels AS told_labels,
               message.mailbox_id, message.keywords, message.labels
          FROM confirmed
          JOIN unnest($1::uuid[], $2::uuid[]) AS wanted (tenant_id, message_id)
         USING (tenant_id, message_id)
          JOIN message USING (tenant_id, message_id)
        """,
        [tenant_id for tenant_id, _ in wanted],
        [message_id for _, message_id in wanted],
    )
    if not rows:
        return []
    pending = await _pending(connection, [(row["tenant_id"], row["message_id"]) for row in rows])
    return [
        Overlaid(
            tenant_id=row["tenant_id"],
            account_id=row["account_id"],
            message_id=row["message_id"],
            told=_shown(row, "" if row["newer"] else "told_"),
            revision=row["revision"],
            newer=row["newer"],
            now=_shown(row, ""),
            changes=pending.get((row["tenant_id"], row["message_id"]), []),
        )
        for row in rows
    ]


async def _pending(
    connection: Connection, keys: Sequence[Key]
) -> Mapping[Key, list[MessageChange]]:
    rows = await connection.fetch(
        """
        SELECT tenant_id, message_id, intent_id, steps
          FROM intent_message
          JOIN unnest($1::uuid[], $2::uuid[]) AS wanted (tenant_id, message_id)
         USING (tenant_id, message_id)
          JOIN intent USING (tenant_id, intent_id)
         WHERE pending
         ORDER BY intent.seq
        """,
        [tenant_id for tenant_id, _ in keys],
        [message_id for _, message_id in keys],
    )
    decoded: dict[UUID, tuple[Step, ...]] = {}
    found: dict[Key, list[MessageChange]] = {}
    for row in rows:
        if (steps := decoded.get(row["intent_id"])) is None:
            steps = decoded[row["intent_id"]] = _steps.decode(row["steps"])
        found.setdefault((row["tenant_id"], row["message_id"]), []).extend(
            changes_of(steps, row["message_id"])
        )
    return found


async def put_told(connection: Connection, rows: Sequence[Overlaid]) -> None:
    """Remember what sync told of these, or nothing where nothing is wanted any more."""
    gone = [row for row in rows if not row.changes]
    if gone:
        await connection.execute(
            """
            DELETE FROM confirmed
             USING unnest($1::uuid[], $2::uuid[]) AS gone (tenant_id, message_id)
             WHERE confirmed.tenant_id = gone.tenant_id AND confirmed.message_id = gone.message_id
            """,
            [row.tenant_id for row in gone],
            [row.message_id for row in gone],
        )
    newer = [row for row in rows if row.changes and row.newer]
    if newer:
        await connection.execute(
            f"""
            UPDATE confirmed
               SET revision = told.revision, mailbox_id = told.mailbox_id,
                   keywords = string_to_array(told.keywords, ' '),
                   labels = string_to_array(told.labels, '{LABEL_SEPARATOR}')
              FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::text[], $6::text[])
                AS told (tenant_id, message_id, revision, mailbox_id, keywords, labels)
             WHERE confirmed.tenant_id = told.tenant_id AND confirmed.message_id = told.message_id
            """,  # noqa: S608 - the separator
            [row.tenant_id for row in newer],
            [row.message_id for row in newer],
            [row.revision for row in newer],
            [row.told.mailbox_id for row in newer],
            [" ".join(row.told.keywords) for row in newer],
            [LABEL_SEPARATOR.join(row.told.labels) for row in newer],
        )


async def forget_old(connection: Connection, *, days: int, limit: int) -> int:
    """Delete jobs that ended long ago, with their intents; returns how many went."""
    rows = await connection.fetch(
        """
        DELETE FROM job WHERE (tenant_id, job_id) IN (
               SELECT tenant_id, job_id FROM job
                WHERE created_at < now() - make_interval(days => $1) AND state <> 'pending'
                LIMIT $2)
        RETURNING tenant_id, job_id
        """,
        days,
        limit,
    )
    intents = await connection.fetch(
        """
        DELETE FROM intent USING unnest($1::uuid[], $2::uuid[]) AS gone (tenant_id, job_id)
         WHERE intent.tenant_id = gone.tenant_id AND intent.job_id = gone.job_id
        RETURNING intent.tenant_id, intent_id
        """,
        [row["tenant_id"] for row in rows],
        [row["job_id"] for row in rows],
    )
    await connection.execute(
        """
        DELETE FROM intent_message
         USING unnest($1::uuid[], $2::uuid[]) AS gone (tenant_id, intent_id)
         WHERE intent_message.tenant_id = gone.tenant_id
           AND intent_message.intent_id = gone.intent_id
        """,
        [row["tenant_id"] for row in intents],
        [row["intent_id"] for row in intents],
    )
    return len(rows)


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Delete what was wanted of an account that is gone."""
    for table in ("intent_message", "intent", "job", "confirmed", "intent_clock"):
        await connection.execute(
            f"DELETE FROM {table} WHERE tenant_id = $1 AND account_id = $2",  # noqa: S608
            tenant_id,
            account_id,
        )


_KEPT = """
    SELECT intent_id, account_id, job_id, seq, steps, mailbox, message_count
      FROM intent
"""


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(
        intent_id=row["intent_id"],
        account_id=row["account_id"],
        job_id=row["job_id"],
        seq=row["seq"],
        steps=_steps.decode(row["steps"]),
        mailbox=None if row["mailbox"] is None else _mailbox.decode(row["mailbox"]),
        message_count=row["message_count"],
    )


def _shown(row: asyncpg.Record, prefix: str) -> Shown:
    return Shown(
        mailbox_id=row[f"{prefix}mailbox_id"],
        keywords=tuple(row[f"{prefix}keywords"]),
        labels=tuple(row[f"{prefix}labels"]),
    )

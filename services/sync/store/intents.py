"""Intents until they are settled, and the messages they are about."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from shared.contracts.intent import CarryIntent
from shared.contracts.mail import VanishedMessage
from shared.db import Connection

#: So long an intent waits for one before it that was given earlier and has not come.
GAP_SECONDS = 10.0


class Intent(Struct, frozen=True, kw_only=True):
    """An intent as it stands."""

    command: CarryIntent
    stage: str
    progress: dict[str, int]  # what was noted before commands that must not be repeated


class Where(Struct, frozen=True, kw_only=True):
    """Where a message is, and how it is marked."""

    message_id: UUID
    mailbox_id: UUID | None
    uid: int | None
    revision: int
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID
    match_key: bytes | None


class Copies(Struct, frozen=True, kw_only=True):
    """Messages that an intent put into a mailbox beside those that it was about."""

    mailbox_id: UUID
    uidvalidity: int
    uids: tuple[int, ...]


_command = msgspec.json.Decoder(CarryIntent)
_progress = msgspec.json.Decoder(dict[str, int])
_copies = msgspec.json.Decoder(dict[str, Copies])


def _intent(row: asyncpg.Record) -> Intent:
    return Intent(
        command=_command.decode(row["command"]),
        stage=row["stage"],
        progress=_progress.decode(row["progress"]) if row["progress"] else {},
    )


async def keep(connection: Connection, command: CarryIntent) -> bool:
    """Remember to carry this out; False for one that is known, or whose account is gone."""
    return bool(
        await connection.fetchval(
            """
            INSERT INTO intent (intent_id, tenant_id, account_id, seq, command, undoes, not_before)
            SELECT $1, $2, $3, $4, $5, $6, $7
              FROM account
             WHERE account_id = $3 AND tenant_id = $2 AND removed_at IS NULL
            ON CONFLICT DO NOTHING
            RETURNING true
            """,
            command.intent_id,
            command.tenant_id,
            command.account_id,
            command.seq,
            msgspec.json.encode(command),
            command.undoes,
            command.not_before,
        )
    )


async def hold_waiting(
    connection: Connection, account_id: UUID, intent_id: UUID
) -> CarryIntent | None:
    """The intent, if it was not begun; it will not be before the commit."""
    row = await connection.fetchrow(
        """
        SELECT command FROM intent
         WHERE intent_id = $1 AND account_id = $2 AND stage = 'waiting' FOR UPDATE
        """,
        intent_id,
        account_id,
    )
    return None if row is None else _command.decode(row["command"])


async def command(connection: Connection, account_id: UUID, intent_id: UUID) -> CarryIntent | None:
    """What an intent was, unless it is forgotten or never came."""
    body = await connection.fetchval(
        "SELECT command FROM intent WHERE intent_id = $1 AND account_id = $2",
        intent_id,
        account_id,
    )
    return None if body is None else _command.decode(body)


async def next_one(connection: Connection, account_id: UUID) -> Intent | None:
    """The intent to carry out now, if there is one."""
    row = await connection.fetchrow(
        """
        SELECT command, stage, progress,
               stage = 'executing' OR seq = 1
               OR received_at < now() - make_interval(secs => $2)
               OR EXISTS (SELECT 1 FROM intent AS before
                           WHERE before.account_id = $1 AND before.seq = intent.seq - 1) AS ready
          FROM intent
         WHERE account_id = $1 AND settled_at IS NULL AND coalesce(not_before <= now(), true)
         ORDER BY seq LIMIT 1
        """,
        account_id,
        GAP_SECONDS,
    )
    return None if row is None or not row["ready"] else _intent(row)


async def due_in(connection: Connection, account_id: UUID) -> float | None:
    """In how many seconds the next intent may be carried out; None when none waits."""
    return await connection.fetchval(
        """
        SELECT extract(epoch FROM min(coalesce(not_before, received_at
                                               + make_interval(secs => $2))) - now())::float8
          FROM intent WHERE account_id = $1 AND settled_at IS NULL
        """,
        account_id,
        GAP_SECONDS,
    )


async def begin(connection: Connection, intent_id: UUID) -> bool:
    """The intent is being carried out; False when it was settled meanwhile."""
    return bool(
        await connection.fetchval(
            """
            UPDATE intent SET stage = 'executing'
             WHERE intent_id = $1 AND settled_at IS NULL RETURNING true
            """,
            intent_id,
        )
    )


async def put_progress(connection: Connection, intent_id: UUID, progress: dict[str, int]) -> None:
    """Note this before a command that must not be repeated."""
    await connection.execute(
        "UPDATE intent SET progress = $2 WHERE intent_id = $1",
        intent_id,
        msgspec.json.encode(progress),
    )


async def put_copies(connection: Connection, intent_id: UUID, key: str, copies: Copies) -> None:
    """Note what was copied, under the key of those that it was copied from."""
    await connection.execute(
        "UPDATE intent SET copies = copies || $2 WHERE intent_id = $1",
        intent_id,
        msgspec.json.encode({key: copies}).decode(),
    )


async def copies(connection: Connection, account_id: UUID, intent_id: UUID) -> list[Copies]:
    """What an intent copied, as far as the server said."""
    noted = await connection.fetchval(
        "SELECT copies FROM intent WHERE intent_id = $1 AND account_id = $2", intent_id, account_id
    )
    return list(_copies.decode(noted).values()) if noted else []


async def settle(connection: Connection, intent_ids: Sequence[UUID]) -> set[UUID]:
    """These have come to their end; those of them that had not before."""
    rows = await connection.fetch(
        """
        UPDATE intent SET stage = 'settled', settled_at = now(), progress = NULL
         WHERE intent_id = ANY($1) AND settled_at IS NULL RETURNING intent_id
        """,
        list(intent_ids),
    )
    return {row["intent_id"] for row in rows}


async def too_old(connection: Connection, before: datetime, limit: int) -> list[CarryIntent]:
    """Intents that nobody could begin since then, held until the commit."""
    rows = await connection.fetch(
        """
        SELECT command FROM intent
         WHERE settled_at IS NULL AND stage = 'waiting' AND received_at < $1
         ORDER BY account_id, seq LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        before,
        limit,
    )
    return [_command.decode(row["command"]) for row in rows]


async def forget_settled(connection: Connection, days: int) -> None:
    """Settled ones have done their work after so many days; the last of an account shows a gap."""
    await connection.execute(
        """
        DELETE FROM intent WHERE settled_at < now() - make_interval(days => $1)
           AND seq < (SELECT max(seq) FROM intent AS last
                       WHERE last.account_id = intent.account_id)
        """,
        days,
    )


async def where(
    connection: Connection, account_id: UUID, message_ids: Sequence[UUID]
) -> dict[UUID, Where]:
    """Those of these messages that there are."""
    rows = await connection.fetch(
        f"SELECT {_WHERE} FROM message WHERE account_id = $1 AND message_id = ANY($2)",  # noqa: S608
        account_id,
        list(message_ids),
    )
    return {row["message_id"]: _where(row) for row in rows}


async def there(connection: Connection, copies: Copies) -> list[Where]:
    """Those of these copies that are where they were put."""
    rows = await connection.fetch(
        f"SELECT {_WHERE} FROM message WHERE mailbox_id = $1 AND uid = ANY($2)",  # noqa: S608
        copies.mailbox_id,
        list(copies.uids),
    )
    return [_where(row) for row in rows]


_WHERE = "message_id, mailbox_id, uid, revision, keywords, labels, thread_id, match_key"


def _where(row: asyncpg.Record) -> Where:
    return Where(
        message_id=row["message_id"],
        mailbox_id=row["mailbox_id"],
        uid=row["uid"],
        revision=row["revision"],
        keywords=frozenset(row["keywords"]),
        labels=frozenset(row["labels"]),
        thread_id=row["thread_id"],
        match_key=row["match_key"],
    )


async def vanished(
    connection: Connection, account_id: UUID, message_ids: Sequence[UUID]
) -> list[VanishedMessage]:
    """Those of these messages that are gone for good."""
    rows = await connection.fetch(
        "SELECT message_id, revision FROM tombstone WHERE account_id = $1 AND message_id = ANY($2)",
        account_id,
        list(message_ids),
    )
    return [VanishedMessage(message_id=row["message_id"], revision=row["revision"]) for row in rows]

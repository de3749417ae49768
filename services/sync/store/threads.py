"""Which thread each Message-ID of an account stands for.

The names of an account are of a generation: those in use, and while threads are made anew, those
that are not in use yet (see rethreadings.py).
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.sync.domain.kept import name_digest
from shared.db import Connection


class Rethreaded(Struct, frozen=True, kw_only=True):
    """A message that belongs to another thread now."""

    message_id: UUID
    mailbox_id: UUID | None
    keywords: frozenset[str]
    labels: frozenset[str]
    thread_id: UUID


async def generation(connection: Connection, account_id: UUID) -> int:
    """Which names are in use. It stays so for whoever has the account's revision."""
    return await connection.fetchval(
        "SELECT thread_generation FROM clock WHERE account_id = $1", account_id
    )


async def known(
    connection: Connection, account_id: UUID, generation: int, names: Sequence[str]
) -> dict[str, UUID]:
    """The threads that these names stand for already."""
    by_digest = {name_digest(name, generation): name for name in names}
    rows = await connection.fetch(
        """
        SELECT asked.name_digest, found.thread_id
          FROM unnest($2::bytea[]) AS asked (name_digest)
         CROSS JOIN LATERAL (
             SELECT thread_id FROM thread_name
              WHERE account_id = $1 AND name_digest = asked.name_digest
             OFFSET 0) AS found
        """,
        account_id,
        list(by_digest),
    )
    return {by_digest[row["name_digest"]]: row["thread_id"] for row in rows}


async def named(
    connection: Connection, account_id: UUID, generation: int, thread_ids: Sequence[UUID]
) -> set[UUID]:
    """Which of these threads some name stands for."""
    rows = await connection.fetch(
        """
        SELECT thread_id FROM unnest($3::uuid[]) AS asked (thread_id)
         WHERE EXISTS (SELECT 1 FROM thread_name
                        WHERE account_id = $1 AND thread_name.thread_id = asked.thread_id
                          AND generation = $2)
        """,
        account_id,
        generation,
        list(thread_ids),
    )
    return {row["thread_id"] for row in rows}


async def register(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    generation: int,
    names: Mapping[str, UUID],
) -> None:
    """From now on these names stand for these threads."""
    by_digest = {name_digest(name, generation): thread_id for name, thread_id in names.items()}
    await connection.execute(
        """
        INSERT INTO thread_name (account_id, name_digest, tenant_id, thread_id, generation)
        SELECT $1, name_digest, $2, thread_id, $5
          FROM unnest($3::bytea[], $4::uuid[]) AS told (name_digest, thread_id)
        ON CONFLICT (account_id, name_digest) DO UPDATE SET thread_id = excluded.thread_id
        """,
        account_id,
        tenant_id,
        list(by_digest),
        list(by_digest.values()),
        generation,
    )


async def merge_names(
    connection: Connection, account_id: UUID, generation: int, merged: Mapping[UUID, UUID]
) -> None:
    """Let all names of threads stand for those that they are parts of now."""
    await connection.execute(
        """
        UPDATE thread_name SET thread_id = merged.becomes
          FROM unnest($2::uuid[], $3::uuid[]) AS merged (thread_id, becomes)
         WHERE account_id = $1 AND thread_name.thread_id = merged.thread_id AND generation = $4
        """,
        account_id,
        list(merged),
        list(merged.values()),
        generation,
    )


async def merge_messages(
    connection: Connection, account_id: UUID, merged: Mapping[UUID, UUID], revision: int
) -> list[Rethreaded]:
    """Let threads become parts of others; the messages that moved with them."""
    rows = await connection.fetch(
        """
        UPDATE message SET thread_id = merged.becomes, revision = $4
          FROM unnest($2::uuid[], $3::uuid[]) AS merged (thread_id, becomes)
         WHERE account_id = $1 AND message.thread_id = merged.thread_id
        RETURNING message.message_id, message.mailbox_id, message.keywords, message.labels,
                  message.thread_id
        """,
        account_id,
        list(merged),
        list(merged.values()),
        revision,
    )
    return [_rethreaded(row) for row in rows]


async def put(
    connection: Connection, account_id: UUID, threads: Mapping[UUID, UUID], revision: int
) -> list[Rethreaded]:
    """Let these messages belong to these threads; those that did not yet."""
    rows = await connection.fetch(
        """
        UPDATE message SET thread_id = told.thread_id, revision = $4
          FROM unnest($2::uuid[], $3::uuid[]) AS told (message_id, thread_id)
         WHERE account_id = $1 AND message.message_id = told.message_id
           AND message.thread_id <> told.thread_id
        RETURNING message.message_id, message.mailbox_id, message.keywords, message.labels,
                  message.thread_id
        """,
        account_id,
        list(threads),
        list(threads.values()),
        revision,
    )
    return [_rethreaded(row) for row in rows]


def _rethreaded(row: asyncpg.Record) -> Rethreaded:
    return Rethreaded(
        message_id=row["message_id"],
        mailbox_id=row["mailbox_id"],
        keywords=frozenset(row["keywords"]),
        labels=frozenset(row["labels"]),
        thread_id=row["thread_id"],
    )

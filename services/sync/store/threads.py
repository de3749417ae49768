"""Which thread each Message-ID of an account stands for."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.sync.domain.kept import name_digest
from shared.db import Connection


async def known(connection: Connection, account_id: UUID, names: Sequence[str]) -> dict[str, UUID]:
    """The threads that these Message-IDs stand for already."""
    by_digest = {name_digest(name): name for name in names}
    rows = await connection.fetch(
        """
        SELECT name_digest, thread_id FROM thread_name
         WHERE account_id = $1 AND name_digest = ANY($2)
        """,
        account_id,
        list(by_digest),
    )
    return {by_digest[row["name_digest"]]: row["thread_id"] for row in rows}


async def register(
    connection: Connection, tenant_id: UUID, account_id: UUID, names: Mapping[str, UUID]
) -> None:
    """From now on these Message-IDs stand for these threads."""
    by_digest = {name_digest(name): thread_id for name, thread_id in names.items()}
    await connection.execute(
        """
        INSERT INTO thread_name (account_id, name_digest, tenant_id, thread_id)
        SELECT $1, name_digest, $2, thread_id
          FROM unnest($3::bytea[], $4::uuid[]) AS told (name_digest, thread_id)
        ON CONFLICT (account_id, name_digest) DO UPDATE SET thread_id = excluded.thread_id
        """,
        account_id,
        tenant_id,
        list(by_digest),
        list(by_digest.values()),
    )


async def merge(
    connection: Connection, account_id: UUID, merged: Mapping[UUID, UUID], revision: int
) -> list[tuple[UUID, UUID | None, frozenset[str], UUID]]:
    """Let threads become parts of others; the messages (id, mailbox, keywords, thread) moved."""
    await connection.execute(
        """
        UPDATE thread_name SET thread_id = merged.becomes
          FROM unnest($2::uuid[], $3::uuid[]) AS merged (thread_id, becomes)
         WHERE account_id = $1 AND thread_name.thread_id = merged.thread_id
        """,
        account_id,
        list(merged),
        list(merged.values()),
    )
    rows = await connection.fetch(
        """
        UPDATE message SET thread_id = merged.becomes, revision = $4
          FROM unnest($2::uuid[], $3::uuid[]) AS merged (thread_id, becomes)
         WHERE account_id = $1 AND message.thread_id = merged.thread_id
        RETURNING message.message_id, message.mailbox_id, message.keywords, message.thread_id
        """,
        account_id,
        list(merged),
        list(merged.values()),
        revision,
    )
    return [
        (row["message_id"], row["mailbox_id"], frozenset(row["keywords"]), row["thread_id"])
        for row in rows
    ]

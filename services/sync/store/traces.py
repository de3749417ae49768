"""Messages that may show that another one was sent."""

from collections.abc import Collection
from uuid import UUID

from msgspec import Struct

from services.sync.domain.kept import name_digest
from shared.contracts.mail import MailboxRole
from shared.db import Connection

_MOST = 200


class Kept(Struct, frozen=True, kw_only=True):
    """A message of the same conversation, where it is, and what it says."""

    account_id: UUID
    message_id: UUID
    role: MailboxRole | None
    keywords: frozenset[str]
    content: bytes  # packed


async def conversations_with(
    connection: Connection, tenant_id: UUID, message_id: str
) -> list[Kept]:
    """What is kept of conversations, in any account of the tenant, in which this id is named."""
    accounts = await connection.fetch(
        """
        SELECT account_id, thread_generation FROM clock JOIN account USING (account_id)
         WHERE account.tenant_id = $1 AND removed_at IS NULL
        """,
        tenant_id,
    )
    rows = await connection.fetch(
        """
        SELECT message.account_id, message_id, role, keywords, content
          FROM unnest($2::uuid[], $3::bytea[]) AS asked (account_id, name_digest)
          JOIN thread_name USING (account_id, name_digest)
          JOIN message USING (account_id, thread_id)
          JOIN message_content USING (message_id)
          JOIN mailbox ON mailbox.mailbox_id = message.mailbox_id
         WHERE message.tenant_id = $1
         ORDER BY received_at DESC LIMIT $4
        """,
        tenant_id,
        [row["account_id"] for row in accounts],
        [name_digest(message_id, row["thread_generation"]) for row in accounts],
        _MOST,
    )
    return [
        Kept(
            account_id=row["account_id"],
            message_id=row["message_id"],
            role=MailboxRole(row["role"]) if row["role"] else None,
            keywords=frozenset(row["keywords"]),
            content=row["content"],
        )
        for row in rows
    ]


async def appended_by_us(connection: Connection, submission_ids: Collection[UUID]) -> set[UUID]:
    """Those of these submissions whose copy in Sent is ours, or may be."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM sent_copy
         WHERE submission_id = ANY($1) AND appended IS DISTINCT FROM false
        """,
        list(submission_ids),
    )
    return {row["submission_id"] for row in rows}

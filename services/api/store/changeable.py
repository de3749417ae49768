"""What a caller may want changed: messages that lists show, and mailboxes that are there."""

from collections.abc import Collection, Sequence
from uuid import UUID

from msgspec import Struct, convert

from shared.contracts.intent import CreateMailbox
from shared.db import Connection


class Box(Struct, frozen=True, kw_only=True):
    """A mailbox as far as changes of it go."""

    mailbox_id: UUID
    account_id: UUID
    path: str
    delimiter: str | None
    role: str | None
    selectable: bool
    subscribed: bool
    message_count: int


_BOX = """
    SELECT mailbox_id, account_id, path, delimiter, role, selectable, subscribed, message_count
      FROM mailbox
"""


async def accounts_of(
    connection: Connection, tenant_id: UUID, message_ids: Collection[UUID]
) -> dict[UUID, UUID]:
    """The account of each of these messages that lists show."""
    rows = await connection.fetch(
        """
        SELECT message_id, account_id FROM message
         WHERE tenant_id = $1 AND message_id = ANY($2) AND listed
        """,
        tenant_id,
        list(message_ids),
    )
    return {row["message_id"]: row["account_id"] for row in rows}


async def accounts_with(connection: Connection, tenant_id: UUID, thread_id: UUID) -> Sequence[UUID]:
    """The accounts that have messages of a thread that lists show."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT account_id FROM message
         WHERE tenant_id = $1 AND thread_id = $2 AND listed ORDER BY account_id
        """,
        tenant_id,
        thread_id,
    )
    return [row["account_id"] for row in rows]


async def mailbox(connection: Connection, tenant_id: UUID, mailbox_id: UUID) -> Box | None:
    """The mailbox, if it is there."""
    row = await connection.fetchrow(
        f"""
        {_BOX} WHERE tenant_id = $1 AND mailbox_id = $2 AND path IS NOT NULL AND NOT gone
        """,
        tenant_id,
        mailbox_id,
    )
    return row and convert(dict(row), Box)


async def by_role(
    connection: Connection, tenant_id: UUID, account_id: UUID, role: str
) -> Box | None:
    """The account's mailbox for this purpose."""
    row = await connection.fetchrow(
        f"""
        {_BOX}
         WHERE tenant_id = $1 AND account_id = $2 AND role = $3 AND path IS NOT NULL AND NOT gone
         ORDER BY path LIMIT 1
        """,
        tenant_id,
        account_id,
        role,
    )
    return row and convert(dict(row), Box)


async def delimiter(connection: Connection, tenant_id: UUID, account_id: UUID) -> str | None:
    """What stands between the levels of a path in this account."""
    return await connection.fetchval(
        """
        SELECT delimiter FROM mailbox
         WHERE tenant_id = $1 AND account_id = $2 AND delimiter IS NOT NULL AND NOT gone LIMIT 1
        """,
        tenant_id,
        account_id,
    )


async def path_is_taken(
    connection: Connection, tenant_id: UUID, account_id: UUID, path: str
) -> bool:
    """Whether a mailbox of this path is there, or asked for."""
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM mailbox
             WHERE tenant_id = $1 AND account_id = $2 AND path = $3 AND NOT gone
            """,
            tenant_id,
            account_id,
            path,
        )
    )


async def add_unmade(
    connection: Connection, tenant_id: UUID, account_id: UUID, change: CreateMailbox
) -> None:
    """Show a mailbox that is to be made."""
    between = await delimiter(connection, tenant_id, account_id)
    await connection.execute(
        """
        INSERT INTO mailbox (tenant_id, mailbox_id, account_id, path, name, delimiter)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
        """,
        tenant_id,
        change.mailbox_id,
        account_id,
        change.path,
        change.path.rpartition(between)[2] if between else change.path,
        between,
    )


async def show_pending(connection: Connection, tenant_id: UUID, mailbox_id: UUID) -> None:
    """Show what is wanted of this mailbox and not settled: of several wishes, the last."""
    await connection.execute(
        """
        UPDATE mailbox
           SET pending = (SELECT intent.mailbox ->> 'type' FROM intent
                           WHERE intent.tenant_id = $1
                             AND intent.account_id = mailbox.account_id
                             AND intent.settled_at IS NULL
                             AND intent.mailbox ->> 'mailbox_id' = mailbox.mailbox_id::text
                           ORDER BY intent.seq DESC LIMIT 1)
         WHERE tenant_id = $1 AND mailbox_id = $2
        """,
        tenant_id,
        mailbox_id,
    )


async def drop_unmade(connection: Connection, tenant_id: UUID, mailbox_id: UUID) -> None:
    """This mailbox was not made."""
    await connection.execute(
        """
        UPDATE mailbox SET path = NULL, pending = NULL
         WHERE tenant_id = $1 AND mailbox_id = $2 AND revision = 0
        """,
        tenant_id,
        mailbox_id,
    )

"""Where on its server a message is."""

from uuid import UUID

from msgspec import Struct

from shared.db import Connection


class Whereabouts(Struct, frozen=True, kw_only=True):
    """The place of a message, as far as it has one."""

    message_id: UUID
    account_id: UUID
    raw_name: bytes | None  # of its mailbox; None while it is in transit
    uidvalidity: int | None
    uid: int | None
    size_bytes: int


async def of_message(
    connection: Connection, tenant_id: UUID, message_id: UUID
) -> Whereabouts | None:
    """Where the message is, if the caller may see it."""
    row = await connection.fetchrow(
        """
        SELECT message.message_id, message.account_id, raw_name, uidvalidity, uid, size_bytes
          FROM message LEFT JOIN mailbox USING (mailbox_id)
         WHERE message.tenant_id = $1 AND message_id = $2
        """,
        tenant_id,
        message_id,
    )
    return row and Whereabouts(**row)

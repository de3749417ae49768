"""Whose remote images a person wants to see."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from shared.contracts.mail import MailboxRole
from shared.db import Connection


class ImageSender(Struct, frozen=True, kw_only=True):
    """An address or a domain whose images are shown."""

    image_sender_id: UUID
    sender: str
    created_at: datetime


async def of_person(
    connection: Connection, tenant_id: UUID, person_id: UUID
) -> Sequence[ImageSender]:
    """All of a person's, by name."""
    rows = await connection.fetch(
        """
        SELECT image_sender_id, sender, created_at FROM image_sender
         WHERE tenant_id = $1 AND person_id = $2 ORDER BY sender
        """,
        tenant_id,
        person_id,
    )
    return [convert(dict(row), ImageSender) for row in rows]


async def add(
    connection: Connection, tenant_id: UUID, person_id: UUID, new_id: UUID, sender: str, most: int
) -> ImageSender | None:
    """The sender, who may have been allowed before; None when the person has so many already."""
    await connection.execute(
        """
        INSERT INTO image_sender (tenant_id, image_sender_id, person_id, sender)
        SELECT $1, $3, $2, $4
         WHERE $5 > (SELECT count(*) FROM image_sender WHERE tenant_id = $1 AND person_id = $2)
        ON CONFLICT (tenant_id, person_id, sender) DO NOTHING
        """,
        tenant_id,
        person_id,
        new_id,
        sender,
        most,
    )
    row = await connection.fetchrow(
        """
        SELECT image_sender_id, sender, created_at FROM image_sender
         WHERE tenant_id = $1 AND person_id = $2 AND sender = $3
        """,
        tenant_id,
        person_id,
        sender,
    )
    return row and convert(dict(row), ImageSender)


async def remove(
    connection: Connection, tenant_id: UUID, person_id: UUID, image_sender_id: UUID
) -> bool:
    """Forget it; False where there is none."""
    return bool(
        await connection.fetchval(
            """
            DELETE FROM image_sender
             WHERE tenant_id = $1 AND person_id = $2 AND image_sender_id = $3 RETURNING true
            """,
            tenant_id,
            person_id,
            image_sender_id,
        )
    )


async def allowed(
    connection: Connection,
    tenant_id: UUID,
    person_id: UUID,
    names: Sequence[str],
    mailbox_id: UUID | None,
) -> str | None:
    """The first of these names that the person has allowed; none of what lies in Junk."""
    return await connection.fetchval(
        """
        SELECT sender FROM image_sender
         WHERE tenant_id = $1 AND person_id = $2 AND sender = ANY($3::text[])
           AND NOT EXISTS (SELECT 1 FROM mailbox
                            WHERE tenant_id = $1 AND mailbox_id = $4 AND role = $5)
         ORDER BY array_position($3::text[], sender) LIMIT 1
        """,
        tenant_id,
        person_id,
        names,
        mailbox_id,
        MailboxRole.JUNK.value,
    )

"""What somebody takes along of their mail: exports, the volumes they are in, and what is in one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, convert

from shared.db import Connection

#: A volume has no more than this: what is lost when a download breaks off.
VOLUME_BYTES = 256 * 1024 * 1024
VOLUME_MESSAGES = 5_000


class NewExport(Struct, frozen=True, kw_only=True):
    """What is to be taken along."""

    export_id: UUID
    account_ids: Sequence[UUID]
    format: str
    created_at: datetime
    expires_at: datetime


class Volume(Struct, frozen=True, kw_only=True):
    """Some messages of an account, in the order of their ids."""

    number: int
    account_id: UUID
    first_message_id: UUID
    last_message_id: UUID
    message_count: int
    size_bytes: int


class Export(NewExport, frozen=True, kw_only=True):
    """An export, and whose it is."""

    tenant_id: UUID
    person_id: UUID
    volumes: list[Volume] = []


class ExportedMessage(Struct, frozen=True, kw_only=True):
    """A message as the index of a volume tells of it."""

    message_id: UUID
    thread_id: UUID | None
    mailbox: str
    keywords: list[str]
    labels: list[str]
    received_at: datetime
    subject: str
    sender_email: str | None
    rfc_message_id: str | None


_COLUMNS = "tenant_id, export_id, person_id, account_ids, format, created_at, expires_at"
_VOLUME = (
    "number, account_id, first_message_id, last_message_id, message_count::bigint,"
    " size_bytes::bigint"
)
# What is written down of somebody, beside their mail. Never a password, nor what stands for one.
_BELONGINGS = {
    "accounts": """
        SELECT account_id, name, email, imap_host, imap_port, imap_security, imap_username,
               smtp_host, smtp_port, smtp_security, smtp_username, created_at
          FROM account WHERE tenant_id = $1 AND account_id = ANY($3) AND deleted_at IS NULL
         ORDER BY account_id
        """,
    "mailboxes": """
        SELECT mailbox_id, account_id, path, role, subscribed, message_count, unread_count
          FROM mailbox WHERE tenant_id = $1 AND account_id = ANY($3) AND path IS NOT NULL
           AND NOT gone ORDER BY account_id, path
        """,
    "identities": """
        SELECT identity_id, account_id, name, email, reply_to, signature_text, signature_html,
               is_default, created_at
          FROM identity WHERE tenant_id = $1 AND account_id = ANY($3) ORDER BY identity_id
        """,
    "drafts": """
        SELECT draft_id, account_id, written, created_at, updated_at
          FROM draft WHERE tenant_id = $1 AND created_by = $2 AND account_id = ANY($3)
         ORDER BY draft_id
        """,
    "submissions": """
        SELECT submission_id, account_id, created_at, state, subject, addressed, recipients,
               rfc_message_id
          FROM submission WHERE tenant_id = $1 AND account_id = ANY($3) ORDER BY submission_id
        """,
    "saved_searches": """
        SELECT saved_search_id, name, q, account_ids, ordered, unit, created_at
          FROM saved_search WHERE tenant_id = $1 AND person_id = $2 ORDER BY saved_search_id
        """,
    "recent_searches": """
        SELECT q, searched_at FROM recent_search WHERE tenant_id = $1 AND person_id = $2
         ORDER BY searched_at
        """,
    "settings": """
        SELECT document FROM person_settings WHERE tenant_id = $1 AND person_id = $2
        """,
    "image_senders": """
        SELECT sender, created_at FROM image_sender WHERE tenant_id = $1 AND person_id = $2
         ORDER BY sender
        """,
    "person": """
        SELECT person_id, email, name FROM person WHERE person_id = $2
        """,
}


async def add(
    connection: Connection, tenant_id: UUID, person_id: UUID, new: NewExport
) -> list[Volume]:
    """Remember what is to be taken along, and in which volumes: of what lists show by now."""
    await connection.execute(
        f"INSERT INTO export ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)",  # noqa: S608
        tenant_id,
        new.export_id,
        person_id,
        new.account_ids,
        new.format,
        new.created_at,
        new.expires_at,
    )
    rows = await connection.fetch(
        f"""
        INSERT INTO export_volume (tenant_id, export_id, number, account_id, first_message_id,
                                   last_message_id, message_count, size_bytes)
        SELECT $1, $2, row_number() OVER (ORDER BY account_id, chunk), account_id,
               min(message_id::text)::uuid, max(message_id::text)::uuid, count(*), sum(size_bytes)
          FROM (SELECT account_id, message_id, size_bytes,
                       trunc((sum(size_bytes) OVER along - size_bytes) / $4::bigint)
                       + (row_number() OVER along - 1) / $5::bigint AS chunk
                  FROM message
                 WHERE tenant_id = $1 AND account_id = ANY($3) AND listed
                WINDOW along AS (PARTITION BY account_id ORDER BY message_id)) AS numbered
         GROUP BY account_id, chunk
        RETURNING {_VOLUME}
        """,  # noqa: S608 - columns from above
        tenant_id,
        new.export_id,
        new.account_ids,
        VOLUME_BYTES,
        VOLUME_MESSAGES,
    )
    return sorted((convert(dict(row), Volume) for row in rows), key=lambda one: one.number)


async def count(connection: Connection, tenant_id: UUID, person_id: UUID, now: datetime) -> int:
    """How many of this person have not ended."""
    return await connection.fetchval(
        "SELECT count(*) FROM export WHERE tenant_id = $1 AND person_id = $2 AND expires_at > $3",
        tenant_id,
        person_id,
        now,
    )


async def of_person(
    connection: Connection, tenant_id: UUID, person_id: UUID, now: datetime
) -> list[Export]:
    """Those of somebody that have not ended, the newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS},
               (SELECT coalesce(json_agg(json_build_object(
                           'number', number, 'account_id', account_id,
                           'first_message_id', first_message_id,
                           'last_message_id', last_message_id,
                           'message_count', message_count, 'size_bytes', size_bytes)
                       ORDER BY number), '[]')
                  FROM export_volume AS volume
                 WHERE volume.tenant_id = export.tenant_id
                   AND volume.export_id = export.export_id) AS volumes
          FROM export WHERE tenant_id = $1 AND person_id = $2 AND expires_at > $3
         ORDER BY created_at DESC, export_id
        """,  # noqa: S608 - columns from above
        tenant_id,
        person_id,
        now,
    )
    return [
        convert({**row, "volumes": msgspec.json.decode(row["volumes"])}, Export) for row in rows
    ]


async def by_id(connection: Connection, export_id: UUID, now: datetime) -> Export | None:
    """The export whoever's it is, without its volumes; for who shows a link that we signed."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM export WHERE export_id = $1 AND expires_at > $2",  # noqa: S608
        export_id,
        now,
    )
    return row and convert(dict(row), Export)


async def volume(
    connection: Connection, tenant_id: UUID, export_id: UUID, number: int
) -> Volume | None:
    """One volume, if the caller may see its account."""
    row = await connection.fetchrow(
        f"""
        SELECT {_VOLUME} FROM export_volume
         WHERE tenant_id = $1 AND export_id = $2 AND number = $3
        """,  # noqa: S608 - columns from above
        tenant_id,
        export_id,
        number,
    )
    return row and convert(dict(row), Volume)


async def messages_of(
    connection: Connection, tenant_id: UUID, volume: Volume
) -> list[ExportedMessage]:
    """What lists show by now of a volume, mailbox by mailbox."""
    rows = await connection.fetch(
        """
        SELECT message_id, thread_id, coalesce(mailbox.path, '') AS mailbox, keywords, labels,
               received_at, subject, sender_email, rfc_message_id
          FROM message
          LEFT JOIN mailbox
            ON mailbox.tenant_id = message.tenant_id AND mailbox.mailbox_id = message.mailbox_id
         WHERE message.tenant_id = $1 AND message.account_id = $2 AND listed
           AND message_id BETWEEN $3 AND $4
         ORDER BY mailbox.path, message_id
        """,
        tenant_id,
        volume.account_id,
        volume.first_message_id,
        volume.last_message_id,
    )
    return [convert(dict(row), ExportedMessage) for row in rows]


async def belongings(
    connection: Connection, tenant_id: UUID, person_id: UUID, account_ids: Sequence[UUID]
) -> dict[str, Any]:
    """Everything kept of somebody that is not mail, as it stands in the tables."""
    found: dict[str, Any] = {}
    for name, query in _BELONGINGS.items():
        rows = await connection.fetchval(
            # Each query is told all three; what it does not need, it does not look at.
            f"""
            SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found
             WHERE $1::uuid IS NOT NULL AND $2::uuid IS NOT NULL AND $3::uuid[] IS NOT NULL
            """,  # noqa: S608 - text of our own
            tenant_id,
            person_id,
            account_ids,
        )
        found[name] = msgspec.Raw(rows.encode())
    return found


async def remove(connection: Connection, tenant_id: UUID, person_id: UUID, export_id: UUID) -> bool:
    """Its links lead nowhere from now on; False when it is not there."""
    return bool(
        await connection.fetchval(
            """
            DELETE FROM export WHERE tenant_id = $1 AND person_id = $2 AND export_id = $3
            RETURNING true
            """,
            tenant_id,
            person_id,
            export_id,
        )
    )


async def forget_ended(connection: Connection, now: datetime) -> None:
    await connection.execute("DELETE FROM export WHERE expires_at <= $1", now)

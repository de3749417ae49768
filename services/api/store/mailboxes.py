"""Mailboxes and the numbers beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from msgspec import Struct, convert

from services.api.domain.told import MailboxCount, storable
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import SyncedMailbox
from shared.contracts.search import NamedMailbox
from shared.db import Connection


class ShownMailbox(Struct, frozen=True, kw_only=True):
    """A mailbox as a list shows it."""

    mailbox_id: UUID
    account_id: UUID
    path: str
    name: str
    delimiter: str | None
    role: str | None
    selectable: bool
    subscribed: bool
    message_count: int
    unread_count: int
    pending: str | None = None  # what is wanted of it: create, rename, delete, subscribe


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldMailbox:
    """A mailbox as sync told it."""

    tenant_id: UUID
    account_id: UUID
    mailbox: SyncedMailbox


async def put(connection: Connection, told: Sequence[ToldMailbox]) -> dict[tuple[UUID, UUID], str]:
    """Mailboxes by the newest revision; what each became: created, returned, updated or deleted.

    One telling for each mailbox, sorted by tenant and id.
    """
    rows = await connection.fetch(
        """
        INSERT INTO mailbox AS known (tenant_id, mailbox_id, account_id, revision, path, name,
                                      delimiter, role, selectable, subscribed, gone)
        SELECT tenant_id, mailbox_id, account_id, revision, path, name, delimiter, role,
               selectable, subscribed, gone
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[],
                      $7::text[], $8::text[], $9::boolean[], $10::boolean[], $11::boolean[])
            AS told (tenant_id, mailbox_id, account_id, revision, path, name, delimiter, role,
                     selectable, subscribed, gone)
         ORDER BY tenant_id, mailbox_id
        ON CONFLICT (tenant_id, mailbox_id) DO UPDATE
           SET revision = excluded.revision, path = excluded.path, name = excluded.name,
               delimiter = excluded.delimiter, role = excluded.role,
               selectable = excluded.selectable, subscribed = excluded.subscribed,
               gone = excluded.gone
         WHERE known.account_id = excluded.account_id AND excluded.revision > known.revision
        RETURNING WITH (OLD AS before, NEW AS after)
                  after.tenant_id, after.mailbox_id,
                  CASE WHEN after.gone AND before.path IS NOT NULL AND NOT before.gone
                       THEN 'deleted'
                       WHEN after.gone THEN NULL
                       WHEN before.path IS NULL OR before.revision = 0 THEN 'created'
                       WHEN before.gone THEN 'returned'
                       WHEN (before.path, before.name, before.delimiter, before.role,
                             before.selectable, before.subscribed)
                            IS DISTINCT FROM (after.path, after.name, after.delimiter, after.role,
                                              after.selectable, after.subscribed)
                       THEN 'updated' END AS became
        """,
        [one.tenant_id for one in told],
        [one.mailbox.mailbox_id for one in told],
        [one.account_id for one in told],
        [one.mailbox.revision for one in told],
        [storable(one.mailbox.path) for one in told],
        [storable(one.mailbox.name) for one in told],
        [one.mailbox.delimiter for one in told],
        [one.mailbox.role and one.mailbox.role.value for one in told],
        [one.mailbox.selectable for one in told],
        [one.mailbox.subscribed for one in told],
        [one.mailbox.gone for one in told],
    )
    return {(row["tenant_id"], row["mailbox_id"]): row["became"] for row in rows if row["became"]}


async def count(connection: Connection, counts: Sequence[MailboxCount]) -> None:
    """Change the numbers beside mailboxes, each once; an unknown one begins with them."""
    if not counts:
        return
    await connection.execute(
        """
        INSERT INTO mailbox AS known
               (tenant_id, mailbox_id, account_id, message_count, unread_count)
        SELECT tenant_id, mailbox_id, account_id, messages, unread
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])
            AS told (tenant_id, mailbox_id, account_id, messages, unread)
         ORDER BY tenant_id, mailbox_id
        ON CONFLICT (tenant_id, mailbox_id) DO UPDATE
           SET message_count = known.message_count + excluded.message_count,
               unread_count = known.unread_count + excluded.unread_count
        """,
        [one.tenant_id for one in counts],
        [one.mailbox_id for one in counts],
        [one.account_id for one in counts],
        [one.messages for one in counts],
        [one.unread for one in counts],
    )


async def recount(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Let the numbers beside an account's mailboxes be what lists show; nobody else may write."""
    await connection.execute(
        """
        UPDATE mailbox SET message_count = counted.messages, unread_count = counted.unread
          FROM (SELECT mailbox.mailbox_id, count(message_id) AS messages,
                       count(message_id) FILTER (WHERE unread) AS unread
                  FROM mailbox
                  LEFT JOIN message ON message.tenant_id = mailbox.tenant_id
                                   AND message.mailbox_id = mailbox.mailbox_id AND listed
                 WHERE mailbox.tenant_id = $1 AND mailbox.account_id = $2
                 GROUP BY mailbox.mailbox_id) AS counted
         WHERE mailbox.tenant_id = $1 AND mailbox.mailbox_id = counted.mailbox_id
           AND (message_count, unread_count) IS DISTINCT FROM (counted.messages, counted.unread)
        """,
        tenant_id,
        account_id,
    )


async def of_account(
    connection: Connection, tenant_id: UUID, account_id: UUID | None
) -> list[ShownMailbox]:
    """The mailboxes of an account, or of all that the caller may see, by path."""
    rows = await connection.fetch(
        """
        SELECT mailbox_id, account_id, path, name, delimiter, role, selectable, subscribed,
               message_count, unread_count, pending
          FROM mailbox
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR account_id = $2)
           AND path IS NOT NULL AND NOT gone
         ORDER BY account_id, path
        """,
        tenant_id,
        account_id,
    )
    return [convert(dict(row), ShownMailbox) for row in rows]


async def exists(connection: Connection, tenant_id: UUID, mailbox_id: UUID) -> bool:
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM mailbox
             WHERE tenant_id = $1 AND mailbox_id = $2 AND path IS NOT NULL AND NOT gone
            """,
            tenant_id,
            mailbox_id,
        )
    )


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Delete the mailboxes of an account that is gone."""
    await connection.execute(
        "DELETE FROM mailbox WHERE tenant_id = $1 AND account_id = $2", tenant_id, account_id
    )


async def named(connection: Connection, tenant_id: UUID) -> dict[str, NamedMailbox]:
    """What the caller's mailboxes are called, by their ids as they are shown."""
    return {
        shown(Kind.MAILBOX, one.mailbox_id): NamedMailbox(
            mailbox_id=one.mailbox_id,
            account_id=one.account_id,
            path=one.path,
            delimiter=one.delimiter,
            role=one.role,
        )
        for one in await of_account(connection, tenant_id, None)
    }

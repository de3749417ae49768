"""What a caller reads of messages: lists along an index, and one by its id."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.cursors import After
from services.api.store.messages import Details
from shared.db import Connection, TenantReader


class ShownMessage(Struct, frozen=True):
    """A message as a list shows it. The fields are in the order of the columns of `_SHOWN`."""

    message_id: UUID
    account_id: UUID
    mailbox_id: UUID | None
    thread_id: UUID | None
    keywords: list[str]
    labels: list[str]
    unread: bool
    received_at: datetime
    sent_at: datetime | None
    subject: str
    sender_name: str | None
    sender_email: str | None
    rfc_message_id: str | None
    size_bytes: int
    preview: str
    has_html: bool
    attachment_count: int
    pending: bool  # something is wanted of it that its server has not said a word to
    details: Details


# Looked up for each row that is shown: of EXISTS the planner would make a hash of all that is
# wanted, 70 ms where somebody has just changed 60,000 messages.
_SHOWN = """
    SELECT message_id, account_id, mailbox_id, thread_id, keywords, labels, unread, received_at,
           sent_at, subject, sender_name, sender_email, rfc_message_id, size_bytes, preview,
           has_html, attachment_count,
           coalesce((SELECT true FROM confirmed
                      WHERE confirmed.tenant_id = message.tenant_id
                        AND confirmed.message_id = message.message_id), false) AS pending,
           details
      FROM message
"""
_LABELLED = "SELECT tenant_id, message_id, received_at AS labelled_at FROM message_label"
_OF_LABEL = {
    "account_id": f"{_LABELLED} WHERE tenant_id = caller.tenant_id AND account_id = $4"
    " AND label = $6",
    "mailbox_id": f"""
        {_LABELLED} WHERE tenant_id = caller.tenant_id AND label = $6
           AND account_id = (SELECT account_id FROM mailbox
                              WHERE tenant_id = caller.tenant_id AND mailbox_id = $4)
        """,  # noqa: S608 - text of our own
}
#: Gmail has no mailbox of these roles that is looked at: what is in them has a label of it.
_LABEL_OF_ROLE = {
    "inbox": "\\Inbox",
    "drafts": "\\Draft",
    "sent": "\\Sent",
    "flagged": "\\Starred",
}
_details = msgspec.json.Decoder(Details)


async def in_mailbox(
    reader: TenantReader,
    mailbox_id: UUID,
    label: str | None,
    after: After | None,
    limit: int,
) -> list[ShownMessage]:
    """The newest messages of a mailbox, those behind `after`."""
    return await _newest(reader, "mailbox_id", mailbox_id, label, after, limit)


async def in_account(
    reader: TenantReader,
    account_id: UUID,
    label: str | None,
    after: After | None,
    limit: int,
) -> list[ShownMessage]:
    """The newest messages of an account, those behind `after`."""
    return await _newest(reader, "account_id", account_id, label, after, limit)


async def in_role(
    reader: TenantReader,
    role: str,
    account_id: UUID | None,
    after: After | None,
    limit: int,
) -> list[ShownMessage]:
    """The newest messages of all mailboxes with this role, or its label, those behind `after`."""
    behind = labelled_behind = ""
    if after is not None:
        behind = "AND (received_at, message_id) < ($8, $9)"
        labelled_behind = "AND (labelled_at, labelled.message_id) < ($8, $9)"
    rows = await reader.rows(
        f"""
        SELECT newest.*
          FROM mailbox
         CROSS JOIN LATERAL ({_SHOWN}
               WHERE message.tenant_id = caller.tenant_id
                 AND message.mailbox_id = mailbox.mailbox_id AND listed {behind}
               ORDER BY received_at DESC, message_id DESC LIMIT $6) AS newest
         WHERE mailbox.tenant_id = caller.tenant_id AND role = $4 AND NOT gone
           AND ($5::uuid IS NULL OR mailbox.account_id = $5)
         UNION ALL
        SELECT newest.*
          FROM account
         CROSS JOIN LATERAL ({_SHOWN} JOIN (
                    {_LABELLED} WHERE tenant_id = caller.tenant_id
                        AND account_id = account.account_id AND label = $7) AS labelled
                    USING (tenant_id, message_id)
               WHERE tenant_id = caller.tenant_id AND listed {labelled_behind}
                 AND NOT EXISTS (SELECT FROM mailbox
                                  WHERE mailbox.tenant_id = caller.tenant_id
                                    AND mailbox.mailbox_id = message.mailbox_id
                                    AND role IN ('junk', 'trash'))
               ORDER BY labelled_at DESC, labelled.message_id DESC LIMIT $6) AS newest
         WHERE $7::text IS NOT NULL AND account.tenant_id = caller.tenant_id
           AND deleted_at IS NULL AND ($5::uuid IS NULL OR account.account_id = $5)
           AND NOT EXISTS (SELECT FROM mailbox
                            WHERE mailbox.tenant_id = caller.tenant_id
                              AND mailbox.account_id = account.account_id
                              AND role = $4 AND NOT gone)
         ORDER BY received_at DESC, message_id DESC LIMIT $6
        """,  # noqa: S608 - text of our own
        role,
        account_id,
        limit,
        _LABEL_OF_ROLE.get(role),
        *((after.at, after.id) if after is not None else ()),
    )
    return [_shown(row) for row in rows]


async def in_thread(
    connection: Connection, tenant_id: UUID, thread_id: UUID, limit: int
) -> list[ShownMessage]:
    """The newest messages of a thread, in whatever mailboxes, oldest first."""
    rows = await connection.fetch(
        f"""
        {_SHOWN} WHERE tenant_id = $1 AND thread_id = $2 AND listed
         ORDER BY received_at DESC, message_id DESC LIMIT $3
        """,
        tenant_id,
        thread_id,
        limit,
    )
    return [_shown(row) for row in reversed(rows)]


async def by_ids(
    connection: Connection, tenant_id: UUID, message_ids: Sequence[UUID]
) -> dict[UUID, ShownMessage]:
    """Those of these messages that are there to be shown."""
    rows = await connection.fetch(
        f"{_SHOWN} WHERE tenant_id = $1 AND message_id = ANY($2) AND listed",
        tenant_id,
        message_ids,
    )
    return {row["message_id"]: _shown(row) for row in rows}


async def by_id(connection: Connection, tenant_id: UUID, message_id: UUID) -> ShownMessage | None:
    """The message, also while it is between two mailboxes and in no list."""
    row = await connection.fetchrow(
        f"{_SHOWN} WHERE tenant_id = $1 AND message_id = $2 AND received_at IS NOT NULL",
        tenant_id,
        message_id,
    )
    return row and _shown(row)


async def _newest(
    reader: TenantReader,
    place: str,
    place_id: UUID,
    label: str | None,
    after: After | None,
    limit: int,
) -> list[ShownMessage]:
    more: list[Any] = []
    labelled, at, row_id = "", "received_at", "message_id"
    if label is not None:
        # The rows of a label are in the order wanted, and there are none of what no list shows.
        labelled = f"JOIN ({_OF_LABEL[place]}) AS labelled USING (tenant_id, message_id)"
        at, row_id = "labelled_at", "labelled.message_id"
        more.append(label)
    condition = ""
    if after is not None:
        first = len(more) + 6
        condition = f"AND ({at}, {row_id}) < (${first}, ${first + 1})"
        more += (after.at, after.id)
    rows = await reader.rows(
        f"""
        {_SHOWN} {labelled}
         WHERE tenant_id = caller.tenant_id AND {place} = $4 AND listed {condition}
         ORDER BY {at} DESC, {row_id} DESC
         LIMIT $5
        """,
        place_id,
        limit,
        *more,
    )
    return [_shown(row) for row in rows]


def _shown(row: asyncpg.Record) -> ShownMessage:
    *columns, details = row
    # As many as `_SHOWN` names, in their order.
    return ShownMessage(*columns, _details.decode(details))  # pyright: ignore[reportCallIssue]

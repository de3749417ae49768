"""Labels of messages that lists show, in the order in which lists show them."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from services.api.domain.told import LONGEST_LABEL, Transition
from shared.db import Connection

#: Newest messages of an account whose keywords are its keywords: all of them would be a walk
#: through everything, for each menu that is opened.
LOOKED_AT = 5_000


class Named(NamedTuple):
    """A label or a keyword, and in which account."""

    account_id: UUID
    name: str
    unread_count: int | None = None  # of what came in only: others would have to be counted


async def follow(connection: Connection, transitions: Iterable[Transition]) -> None:
    """Let the rows of labels be those of the messages that these statements changed.

    Most servers have no labels, and then there is nothing to do. What a message says never
    changes, so that it stays where it is in the order.
    """
    moved = [
        one
        for one in transitions
        if one.after.shown_labels != (one.before.shown_labels if one.before else ())
    ]
    if not moved:
        return
    tenants = [one.tenant_id for one in moved]
    messages = [one.message_id for one in moved]
    await connection.execute(
        """
        DELETE FROM message_label
         USING message, unnest($1::uuid[], $2::uuid[]) AS moved (tenant_id, message_id)
         WHERE message_label.tenant_id = moved.tenant_id
           AND message_label.message_id = moved.message_id
           AND message.tenant_id = moved.tenant_id AND message.message_id = moved.message_id
           AND NOT (message.listed AND message_label.label = ANY (message.labels))
        """,
        tenants,
        messages,
    )
    await connection.execute(
        """
        INSERT INTO message_label (tenant_id, account_id, label, received_at, message_id)
        SELECT tenant_id, account_id, label, received_at, message_id
          FROM message
          JOIN unnest($1::uuid[], $2::uuid[]) AS moved (tenant_id, message_id)
         USING (tenant_id, message_id),
               unnest(labels) AS label
         WHERE listed AND char_length(label) <= $3
        ON CONFLICT DO NOTHING
        """,
        tenants,
        messages,
        LONGEST_LABEL,
    )


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID, limit: int) -> int:
    """Delete rows of an account that is gone; returns how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM message_label
             WHERE (tenant_id, account_id, label, received_at, message_id) IN (
                   SELECT tenant_id, account_id, label, received_at, message_id
                     FROM message_label
                    WHERE tenant_id = $1 AND account_id = $2 LIMIT $3)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        tenant_id,
        account_id,
        limit,
    )


async def of_accounts(
    connection: Connection, tenant_id: UUID, account_id: UUID | None
) -> list[Named]:
    """The labels of an account, or of all that the caller may see; none where there are none.

    From label to label along the key: most messages have the same few.
    """
    rows = await connection.fetch(
        r"""
        WITH RECURSIVE worn AS (
            SELECT account_id, first.label
              FROM account, LATERAL (
                   SELECT label FROM message_label
                    WHERE message_label.tenant_id = $1
                      AND message_label.account_id = account.account_id
                    ORDER BY label LIMIT 1) AS first
             WHERE account.tenant_id = $1 AND ($2::uuid IS NULL OR account_id = $2)
               AND deleted_at IS NULL
            UNION ALL
            SELECT worn.account_id, next.label
              FROM worn, LATERAL (
                   SELECT label FROM message_label
                    WHERE message_label.tenant_id = $1
                      AND message_label.account_id = worn.account_id
                      AND message_label.label > worn.label
                    ORDER BY label LIMIT 1) AS next)
        SELECT account_id, label,
               CASE label WHEN '\Inbox' THEN (
                   SELECT count(*) FROM message_label JOIN message USING (tenant_id, message_id)
                    WHERE message_label.tenant_id = $1
                      AND message_label.account_id = worn.account_id
                      AND message_label.label = '\Inbox' AND unread) END AS unread_count
          FROM worn
        """,
        tenant_id,
        account_id,
    )
    return [Named(row["account_id"], row["label"], row["unread_count"]) for row in rows]


async def keywords_of_accounts(
    connection: Connection, tenant_id: UUID, account_id: UUID | None
) -> list[Named]:
    """The keywords that the newest messages of an account have, or of all the caller may see."""
    rows = await connection.fetch(
        r"""
        SELECT DISTINCT account_id, keyword
          FROM account, LATERAL (
               SELECT keywords FROM message
                WHERE message.tenant_id = $1 AND message.account_id = account.account_id AND listed
                ORDER BY received_at DESC, message_id DESC LIMIT $3) AS newest,
               unnest(keywords) AS keyword
         WHERE account.tenant_id = $1 AND ($2::uuid IS NULL OR account_id = $2)
           AND deleted_at IS NULL AND left(keyword, 1) <> '\'
        """,
        tenant_id,
        account_id,
        LOOKED_AT,
    )
    return [Named(row["account_id"], row["keyword"]) for row in rows]

"""Labels of messages that lists show, in the order in which lists show them."""

from collections.abc import Iterable
from uuid import UUID

from services.api.domain.told import LONGEST_LABEL, Transition
from shared.db import Connection


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

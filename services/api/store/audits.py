"""Holding what is shown against what sync proved, and counting it."""

from collections.abc import Collection, Mapping
from uuid import UUID

from msgspec import Struct, convert

from shared.contracts.audit import Bucket, Difference
from shared.db import Connection

_RETELL_HOURS = 6  # a retelling that did not mend it would not mend it the next minute either


class ListedMailbox(Struct, frozen=True, kw_only=True):
    """A mailbox and how many messages of it lists have."""

    mailbox_id: UUID
    path: str
    selectable: bool
    shown: int
    marked_deleted: int  # hidden for that alone


async def buckets(connection: Connection, tenant_id: UUID, mailbox_id: UUID) -> dict[int, Bucket]:
    """The messages of a mailbox with content, as shared/contracts/audit.py tells of them."""
    rows = await connection.fetch(
        r"""
        SELECT get_byte(uuid_send(message_id), 15) AS bucket, count(*) AS messages,
               bit_xor(uuid_hash_extended(message_id, revision)) AS hash
          FROM (SELECT message_id, revision FROM message
                 WHERE tenant_id = $1 AND mailbox_id = $2 AND listed
                   AND message_id NOT IN (SELECT message_id FROM confirmed WHERE tenant_id = $1)
                 UNION ALL
                SELECT message_id, revision FROM message
                 WHERE tenant_id = $1 AND mailbox_id = $2
                   AND received_at IS NOT NULL AND keywords @> ARRAY['\Deleted']
                   AND message_id NOT IN (SELECT message_id FROM confirmed WHERE tenant_id = $1)
                 UNION ALL  -- what people want changed counts where sync told of it
                SELECT message_id, message.revision
                  FROM confirmed JOIN message USING (tenant_id, message_id)
                 WHERE tenant_id = $1 AND confirmed.mailbox_id = $2
                   AND received_at IS NOT NULL) AS there
         GROUP BY bucket
        """,
        tenant_id,
        mailbox_id,
    )
    return {row["bucket"]: Bucket(row["messages"], row["hash"]) for row in rows}


async def moving(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    as_of_revision: int,
    buckets: Collection[int],
) -> set[int]:
    """Those of these buckets that we know something newer of: they cannot be compared."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT get_byte(uuid_send(message_id), 15) AS bucket
          FROM message
         WHERE tenant_id = $1 AND account_id = $2
           AND greatest(revision, vanished_revision) > $3
           AND get_byte(uuid_send(message_id), 15) = ANY($4)
        """,
        tenant_id,
        account_id,
        as_of_revision,
        list(buckets),
    )
    return {row["bucket"] for row in rows}


async def differences(
    connection: Connection, tenant_id: UUID, mailbox_id: UUID
) -> dict[int, Difference]:
    """How the mailbox differed when it was last compared."""
    rows = await connection.fetch(
        """
        SELECT bucket, expected_count, expected_hash, since
          FROM audit_difference WHERE tenant_id = $1 AND mailbox_id = $2
        """,
        tenant_id,
        mailbox_id,
    )
    return {
        row["bucket"]: Difference(Bucket(row["expected_count"], row["expected_hash"]), row["since"])
        for row in rows
    }


async def put_differences(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    mailbox_id: UUID,
    found: Mapping[int, Difference],
    undecided: Collection[int],
) -> None:
    """The mailbox differs so; what is undecided stays as it was, the rest is as it should be."""
    await connection.execute(
        """
        DELETE FROM audit_difference
         WHERE tenant_id = $1 AND mailbox_id = $2 AND bucket <> ALL($3)
        """,
        tenant_id,
        mailbox_id,
        [*found, *undecided],
    )
    await connection.execute(
        """
        INSERT INTO audit_difference AS known (
            tenant_id, mailbox_id, bucket, account_id, expected_count, expected_hash, since)
        SELECT $1, $2, bucket, $3, expected_count, expected_hash, since
          FROM unnest($4::integer[], $5::bigint[], $6::bigint[], $7::timestamptz[])
            AS found (bucket, expected_count, expected_hash, since)
         ORDER BY bucket
        ON CONFLICT (tenant_id, mailbox_id, bucket) DO UPDATE
           SET expected_count = excluded.expected_count, expected_hash = excluded.expected_hash,
               since = excluded.since
        """,
        tenant_id,
        mailbox_id,
        account_id,
        list(found),
        [one.expected.count for one in found.values()],
        [one.expected.hash for one in found.values()],
        [one.since for one in found.values()],
    )


async def take_retelling(connection: Connection, tenant_id: UUID, account_id: UUID) -> bool:
    """Whether the account may be told again now; if so its differences are forgotten."""
    taken = await connection.fetchval(
        """
        UPDATE account SET retell_asked_at = now()
         WHERE tenant_id = $1 AND account_id = $2
           AND (retell_asked_at IS NULL OR retell_asked_at < now() - make_interval(hours => $3))
        RETURNING true
        """,
        tenant_id,
        account_id,
        _RETELL_HOURS,
    )
    if taken:
        await forget(connection, tenant_id, account_id)
    return bool(taken)


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Delete what is known of an account's differences."""
    await connection.execute(
        "DELETE FROM audit_difference WHERE tenant_id = $1 AND account_id = $2",
        tenant_id,
        account_id,
    )


async def listed(connection: Connection, tenant_id: UUID, account_id: UUID) -> list[ListedMailbox]:
    """The mailboxes of an account by path, with the messages that lists have of them counted.

    Counted are the rows that store/reading.py reads, and not the numbers beside mailboxes, which
    are to be proven too.
    """
    rows = await connection.fetch(
        r"""
        SELECT mailbox.mailbox_id, path, selectable,
               shown.messages AS shown, hidden.messages AS marked_deleted
          FROM mailbox
         CROSS JOIN LATERAL (
               SELECT count(*) AS messages FROM message
                WHERE message.tenant_id = $1 AND message.mailbox_id = mailbox.mailbox_id
                  AND listed) AS shown
         CROSS JOIN LATERAL (
               SELECT count(*) AS messages FROM message
                WHERE message.tenant_id = $1 AND message.mailbox_id = mailbox.mailbox_id
                  AND received_at IS NOT NULL AND keywords @> ARRAY['\Deleted']) AS hidden
         WHERE mailbox.tenant_id = $1 AND mailbox.account_id = $2 AND path IS NOT NULL AND NOT gone
         ORDER BY path
        """,
        tenant_id,
        account_id,
    )
    return [convert(dict(row), ListedMailbox) for row in rows]

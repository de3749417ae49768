"""Holding what can be found against what sync proved."""

from collections.abc import Collection, Mapping
from uuid import UUID

from services.indexer.domain.told import Account
from shared.contracts.audit import Bucket, Difference, SearchableMailbox
from shared.db import Connection

_RETELL_HOURS = 6  # a retell that did not mend it would not mend it the next minute either


async def buckets(connection: Connection, account: Account, mailbox_id: UUID) -> dict[int, Bucket]:
    """The messages of a mailbox that can be found, as shared/contracts/audit.py tells of them."""
    rows = await connection.fetch(
        """
        SELECT get_byte(uuid_send(message_id), 15) AS bucket, count(*) AS messages,
               bit_xor(uuid_hash_extended(message_id, revision)) AS hash
          FROM findable
         WHERE tenant_id = $1 AND account_id = $2 AND mailbox_id = $3
         GROUP BY bucket
        """,
        account.tenant_id,
        account.account_id,
        mailbox_id,
    )
    return {row["bucket"]: Bucket(row["messages"], row["hash"]) for row in rows}


async def moving(
    connection: Connection, account: Account, as_of_revision: int, buckets: Collection[int]
) -> set[int]:
    """Those of these buckets that we know something newer of: they cannot be compared."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT get_byte(uuid_send(message_id), 15) AS bucket
          FROM document
         WHERE tenant_id = $1 AND account_id = $2 AND revision > $3
           AND get_byte(uuid_send(message_id), 15) = ANY($4)
        """,
        account.tenant_id,
        account.account_id,
        as_of_revision,
        list(buckets),
    )
    return {row["bucket"] for row in rows}


async def differences(connection: Connection, mailbox_id: UUID) -> dict[int, Difference]:
    """How the mailbox differed when it was last compared."""
    rows = await connection.fetch(
        """
        SELECT bucket, expected_count, expected_hash, since
          FROM audit_difference WHERE mailbox_id = $1
        """,
        mailbox_id,
    )
    return {
        row["bucket"]: Difference(Bucket(row["expected_count"], row["expected_hash"]), row["since"])
        for row in rows
    }


async def put_differences(
    connection: Connection,
    account: Account,
    mailbox_id: UUID,
    found: Mapping[int, Difference],
    undecided: Collection[int],
) -> None:
    """The mailbox differs so; what is undecided stays as it was, the rest is as it should be."""
    await connection.execute(
        """
        DELETE FROM audit_difference WHERE mailbox_id = $1 AND bucket <> ALL($2)
        """,
        mailbox_id,
        [*found, *undecided],
    )
    await connection.execute(
        """
        INSERT INTO audit_difference AS known (
            mailbox_id, bucket, tenant_id, account_id, expected_count, expected_hash, since)
        SELECT $1, bucket, $2, $3, expected_count, expected_hash, since
          FROM unnest($4::integer[], $5::bigint[], $6::bigint[], $7::timestamptz[])
            AS found (bucket, expected_count, expected_hash, since)
         ORDER BY bucket
        ON CONFLICT (mailbox_id, bucket) DO UPDATE
           SET expected_count = excluded.expected_count, expected_hash = excluded.expected_hash,
               since = excluded.since
        """,
        mailbox_id,
        account.tenant_id,
        account.account_id,
        list(found),
        [one.expected.count for one in found.values()],
        [one.expected.hash for one in found.values()],
        [one.since for one in found.values()],
    )


async def take_retell(connection: Connection, account: Account) -> bool:
    """Whether the account may be told again now; if so its differences are forgotten."""
    taken = await connection.fetchval(
        """
        UPDATE account SET retell_asked_at = now()
         WHERE account_id = $1 AND tenant_id = $2
           AND (retell_asked_at IS NULL OR retell_asked_at < now() - make_interval(hours => $3))
        RETURNING true
        """,
        account.account_id,
        account.tenant_id,
        _RETELL_HOURS,
    )
    if taken:
        await connection.execute(
            "DELETE FROM audit_difference WHERE account_id = $1", account.account_id
        )
    return bool(taken)


async def searchable(connection: Connection, account_id: UUID) -> list[SearchableMailbox]:
    """How many messages can be found in each mailbox, if the transaction's caller may know."""
    rows = await connection.fetch(
        "SELECT mailbox_id, messages FROM count_findable($1) ORDER BY mailbox_id", account_id
    )
    return [
        SearchableMailbox(mailbox_id=row["mailbox_id"], searchable=row["messages"]) for row in rows
    ]

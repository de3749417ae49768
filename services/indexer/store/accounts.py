"""Accounts: which of them stand, and how the rows of a removed one go."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from services.indexer.domain.tokenise import WORDS_VERSION
from services.indexer.domain.told import Account
from services.indexer.store.documents import delete_words
from shared.db import Connection


async def share_accounts(connection: Connection, accounts: Iterable[Account]) -> set[UUID]:
    """The accounts that still stand; until this transaction ends none of them can be removed."""
    ids = await _meet_accounts(connection, accounts)
    rows = await connection.fetch(
        """
        SELECT account_id FROM account
         WHERE account_id = ANY($1) AND removed_at IS NULL
         ORDER BY account_id
           FOR SHARE
        """,
        ids,
    )
    return {row["account_id"] for row in rows}


async def hold_accounts(connection: Connection, accounts: Iterable[Account]) -> set[UUID]:
    """The accounts that still stand; until this transaction ends nobody else writes their rows."""
    ids = await _meet_accounts(connection, accounts)
    rows = await connection.fetch(
        """
        SELECT account_id FROM account
         WHERE account_id = ANY($1) AND removed_at IS NULL
         ORDER BY account_id
           FOR UPDATE
        """,
        ids,
    )
    return {row["account_id"] for row in rows}


async def _meet_accounts(connection: Connection, accounts: Iterable[Account]) -> list[UUID]:
    met = {account.account_id: account.tenant_id for account in accounts}
    ids = sorted(met)
    known = await connection.fetchval(
        "SELECT count(*) FROM account WHERE account_id = ANY($1)", ids
    )
    if known < len(ids):
        await connection.execute(
            """
            INSERT INTO account (account_id, tenant_id, words_version)
            SELECT account_id, tenant_id, $3 FROM unnest($1::uuid[], $2::uuid[])
                AS met (account_id, tenant_id)
             ORDER BY account_id
            ON CONFLICT (account_id) DO NOTHING
            """,
            ids,
            [met[account_id] for account_id in ids],
            WORDS_VERSION,
        )
    return ids


async def tenant_of(connection: Connection, account_id: UUID) -> UUID | None:
    """Whose account this is, as far as we heard of it."""
    return await connection.fetchval(
        "SELECT tenant_id FROM account WHERE account_id = $1", account_id
    )


async def remove_account(connection: Connection, account: Account, at: datetime) -> None:
    """Nothing of this account is found any more, and nothing comes to it; waits for who writes."""
    await connection.execute(
        """
        INSERT INTO account AS known (account_id, tenant_id, removed_at) VALUES ($1, $2, $3)
        ON CONFLICT (account_id) DO UPDATE
           SET removed_at = coalesce(known.removed_at, excluded.removed_at)
        """,
        account.account_id,
        account.tenant_id,
        at,
    )


async def claim_removed(connection: Connection) -> UUID | None:
    """A removed account whose rows are still here, which no other process works on."""
    return await connection.fetchval(
        """
        SELECT account_id FROM account
         WHERE removed_at IS NOT NULL AND swept_at IS NULL
         ORDER BY removed_at
         LIMIT 1
           FOR UPDATE SKIP LOCKED
        """
    )


async def sweep(connection: Connection, account_id: UUID, limit: int) -> int:
    """Delete some rows of a removed account; fewer than `limit` means that none is left."""
    rows = await connection.fetch(
        """
        DELETE FROM document
         WHERE message_id IN (
             SELECT message_id FROM document
              WHERE tenant_id = (SELECT tenant_id FROM account WHERE account_id = $1)
                AND account_id = $1
              LIMIT $2)
        RETURNING message_id
        """,
        account_id,
        limit,
    )
    await delete_words(connection, [row["message_id"] for row in rows])
    if len(rows) < limit:
        for table in ("retelling", "audit_difference", "rereading"):
            await connection.execute(
                f"DELETE FROM {table} WHERE account_id = $1",  # noqa: S608 - a name of ours
                account_id,
            )
        await connection.execute(
            "UPDATE account SET swept_at = now() WHERE account_id = $1", account_id
        )
    return len(rows)

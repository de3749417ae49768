"""Retells under way: which pages are here, and what a complete one lets go of."""

from datetime import datetime
from uuid import UUID

from services.indexer.domain.told import Account
from services.indexer.store.documents import delete_words
from shared.db import Connection


async def note_pages(
    connection: Connection,
    account: Account,
    generation: UUID,
    *,
    pages_here: list[int],
    as_of_revision: int,
    pages: int | None,
) -> int | None:
    """Remember which pages of a retell are here; return as of when it is true once all are.

    Pages may come in any order, more than once, and after the word that says how many there are.
    """
    return await connection.fetchval(
        """
        WITH noted AS (
            INSERT INTO retelling AS known (
                account_id, generation, tenant_id, pages_here, as_of_revision, pages)
            SELECT $1, $2, $3, coalesce(range_agg(int8range(page, page, '[]')), '{}'), $5, $6
              FROM unnest($4::bigint[]) AS page
            ON CONFLICT (account_id, generation) DO UPDATE
               SET pages_here = known.pages_here + excluded.pages_here,
                   as_of_revision = least(known.as_of_revision, excluded.as_of_revision),
                   pages = coalesce(known.pages, excluded.pages)
            RETURNING pages_here, pages, as_of_revision, closed_at
        )
        SELECT as_of_revision FROM noted
         WHERE closed_at IS NULL AND pages_here @> int8multirange(int8range(0, pages))
           AND pages IS NOT NULL
        """,
        account.account_id,
        generation,
        account.tenant_id,
        pages_here,
        as_of_revision,
        pages,
    )


async def close_retelling(
    connection: Connection, account: Account, generation: UUID, as_of_revision: int
) -> int:
    """Let go of what a complete retell did not name and is not newer; return how many that were."""
    await connection.execute(
        "UPDATE retelling SET closed_at = now() WHERE account_id = $1 AND generation = $2",
        account.account_id,
        generation,
    )
    await connection.execute(
        """
        UPDATE account SET complete_as_of = greatest(complete_as_of, $2) WHERE account_id = $1
        """,
        account.account_id,
        as_of_revision,
    )
    rows = await connection.fetch(
        """
        DELETE FROM document
         WHERE tenant_id = $1 AND account_id = $2
           AND revision <= $3 AND coalesce(alive_as_of, -1) < $3
        RETURNING message_id
        """,
        account.tenant_id,
        account.account_id,
        as_of_revision,
    )
    await delete_words(connection, [row["message_id"] for row in rows])
    return len(rows)


async def purge(connection: Connection, before: datetime, limit: int) -> int:
    """Forget tombstones and closed retells older than this; return how many tombstones."""
    await connection.execute("DELETE FROM retelling WHERE closed_at < $1", before)
    rows = await connection.fetch(
        """
        DELETE FROM document
         WHERE message_id IN (
             SELECT message_id FROM document WHERE vanished_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING message_id
        """,
        before,
        limit,
    )
    return len(rows)

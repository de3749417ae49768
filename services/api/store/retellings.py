"""Retellings of accounts: which pages came, and which are owed."""

from uuid import UUID

from msgspec import Struct, convert

from shared.db import Connection


class Finished(Struct, frozen=True, kw_only=True):
    """A retelling of which every page is here."""

    tenant_id: UUID
    account_id: UUID
    generation: UUID
    as_of_revision: int


async def note_page(
    connection: Connection,
    *,
    tenant_id: UUID,
    account_id: UUID,
    generation: UUID,
    page: int,
    as_of_revision: int,
) -> bool:
    """A page is in this transaction; True when with it all are here."""
    return await connection.fetchval(
        """
        INSERT INTO retelling AS known (tenant_id, account_id, generation, as_of_revision, seen)
        VALUES ($1, $2, $3, $5, int4multirange(int4range($4, $4 + 1)))
        ON CONFLICT (tenant_id, account_id, generation) DO UPDATE
           SET as_of_revision = least(known.as_of_revision, excluded.as_of_revision),
               seen = known.seen + excluded.seen
        RETURNING coalesce(known.seen @> int4range(0, known.pages), false)
                  AND known.pages IS NOT NULL
        """,
        tenant_id,
        account_id,
        generation,
        page,
        as_of_revision,
    )


async def note_end(
    connection: Connection,
    *,
    tenant_id: UUID,
    account_id: UUID,
    generation: UUID,
    pages: int,
    as_of_revision: int,
) -> bool:
    """The end of a retelling said how many pages it has; True when all are here."""
    return await connection.fetchval(
        """
        INSERT INTO retelling AS known (tenant_id, account_id, generation, as_of_revision, pages)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, account_id, generation) DO UPDATE
           SET as_of_revision = least(known.as_of_revision, excluded.as_of_revision),
               pages = excluded.pages
        RETURNING known.seen @> int4range(0, known.pages)
        """,
        tenant_id,
        account_id,
        generation,
        as_of_revision,
        pages,
    )


async def finished(connection: Connection) -> Finished | None:
    """A retelling whose pages are all here and whose unseen rows are not yet gone."""
    row = await connection.fetchrow(
        """
        SELECT tenant_id, account_id, generation, as_of_revision
          FROM retelling
         WHERE swept_at IS NULL AND pages IS NOT NULL AND seen @> int4range(0, pages)
         ORDER BY began_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return row and convert(dict(row), Finished)


async def swept(connection: Connection, done: Finished) -> None:
    await connection.execute(
        """
        UPDATE retelling SET swept_at = now()
         WHERE tenant_id = $1 AND account_id = $2 AND generation = $3
        """,
        done.tenant_id,
        done.account_id,
        done.generation,
    )


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    await connection.execute(
        "DELETE FROM retelling WHERE tenant_id = $1 AND account_id = $2", tenant_id, account_id
    )


async def forget_old(connection: Connection, *, days: int) -> None:
    """Delete what is known of retellings that ended, or broke off, long ago."""
    await connection.execute(
        "DELETE FROM retelling WHERE began_at < now() - make_interval(days => $1)", days
    )

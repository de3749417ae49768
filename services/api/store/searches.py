"""Searches that somebody keeps under a name, and those they made lately."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from shared.db import Connection


class SavedSearch(Struct, frozen=True, kw_only=True):
    """A search with a name."""

    saved_search_id: UUID
    name: str
    q: str
    account_ids: list[UUID]
    ordered: str
    unit: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = "saved_search_id, name, q, account_ids, ordered, unit, created_at, updated_at"


async def saved_by(connection: Connection, tenant_id: UUID, person_id: UUID) -> list[SavedSearch]:
    """All that somebody keeps, by name."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM saved_search
         WHERE tenant_id = $1 AND person_id = $2
         ORDER BY lower(name), saved_search_id
        """,  # noqa: S608 - names of our own columns
        tenant_id,
        person_id,
    )
    return [SavedSearch(**row) for row in rows]


async def count(connection: Connection, tenant_id: UUID, person_id: UUID) -> int:
    return await connection.fetchval(
        "SELECT count(*) FROM saved_search WHERE tenant_id = $1 AND person_id = $2",
        tenant_id,
        person_id,
    )


async def save(
    connection: Connection, tenant_id: UUID, person_id: UUID, search: SavedSearch
) -> SavedSearch | None:
    """Keep a search; None where another one of this person has its name."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO saved_search (tenant_id, person_id, {_COLUMNS})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - names of our own columns
        tenant_id,
        person_id,
        search.saved_search_id,
        search.name,
        search.q,
        search.account_ids,
        search.ordered,
        search.unit,
        search.created_at,
        search.updated_at,
    )
    return row and SavedSearch(**row)


async def hold(
    connection: Connection, tenant_id: UUID, person_id: UUID, saved_search_id: UUID
) -> SavedSearch | None:
    """One that is about to be changed."""
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM saved_search
         WHERE tenant_id = $1 AND person_id = $2 AND saved_search_id = $3
           FOR UPDATE
        """,  # noqa: S608 - names of our own columns
        tenant_id,
        person_id,
        saved_search_id,
    )
    return row and SavedSearch(**row)


async def change(connection: Connection, tenant_id: UUID, search: SavedSearch) -> None:
    """Let it be so; raises UniqueViolationError where another one has its name."""
    await connection.execute(
        """
        UPDATE saved_search
           SET name = $3, q = $4, account_ids = $5, ordered = $6, unit = $7, updated_at = $8
         WHERE tenant_id = $1 AND saved_search_id = $2
        """,
        tenant_id,
        search.saved_search_id,
        search.name,
        search.q,
        search.account_ids,
        search.ordered,
        search.unit,
        search.updated_at,
    )


async def forget_saved(
    connection: Connection, tenant_id: UUID, person_id: UUID, saved_search_id: UUID
) -> bool:
    """Whether it was there."""
    gone = await connection.fetchval(
        """
        DELETE FROM saved_search
         WHERE tenant_id = $1 AND person_id = $2 AND saved_search_id = $3
        RETURNING true
        """,
        tenant_id,
        person_id,
        saved_search_id,
    )
    return bool(gone)


async def remember(
    connection: Connection, tenant_id: UUID, person_id: UUID, q: str, *, most: int
) -> None:
    """It was searched for just now; only so many are remembered."""
    await connection.execute(
        """
        INSERT INTO recent_search (tenant_id, person_id, q) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id, person_id, q) DO UPDATE SET searched_at = now()
        """,
        tenant_id,
        person_id,
        q,
    )
    await connection.execute(
        """
        DELETE FROM recent_search
         WHERE tenant_id = $1 AND person_id = $2
           AND q IN (SELECT q FROM recent_search WHERE tenant_id = $1 AND person_id = $2
                      ORDER BY searched_at DESC, q OFFSET $3)
        """,
        tenant_id,
        person_id,
        most,
    )


async def recent(
    connection: Connection, tenant_id: UUID, person_id: UUID
) -> Sequence[tuple[str, datetime]]:
    """What was searched for lately, the last first."""
    rows = await connection.fetch(
        """
        SELECT q, searched_at FROM recent_search
         WHERE tenant_id = $1 AND person_id = $2
         ORDER BY searched_at DESC, q
        """,
        tenant_id,
        person_id,
    )
    return [(row["q"], row["searched_at"]) for row in rows]


async def forget_recent(connection: Connection, tenant_id: UUID, person_id: UUID) -> None:
    await connection.execute(
        "DELETE FROM recent_search WHERE tenant_id = $1 AND person_id = $2", tenant_id, person_id
    )

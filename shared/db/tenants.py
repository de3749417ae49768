"""All that one service keeps of a tenant: which tables, how much, and away with it.

Asked of the database, so that a table that comes later is counted and emptied, too.
"""

from collections.abc import Collection
from uuid import UUID

import asyncpg

from shared.db.pool import Connection


async def tables_of_tenants(connection: Connection) -> list[str]:
    """The tables of this service whose rows are some tenant's."""
    rows = await connection.fetch(
        """
        SELECT quote_ident(relname) AS name
          FROM pg_class
          JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id'
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
         ORDER BY relname
        """
    )
    return [row["name"] for row in rows]


async def rows_of_tenant(
    connection: Connection, tenant_id: UUID, *, but: Collection[str] = ("account",)
) -> int:
    """How many rows there are of a tenant. Of accounts that are gone, tombstones stay a while."""
    total = 0
    for table in await tables_of_tenants(connection):
        if table not in but:
            total += await connection.fetchval(
                f"SELECT count(*) FROM {table} WHERE tenant_id = $1",  # noqa: S608 - quoted above
                tenant_id,
            )
    return total


async def forget_some_of_tenant(
    connection: Connection, tenant_id: UUID, *, but: Collection[str], limit: int
) -> bool:
    """Delete some rows of a tenant; False when there were none.

    A row that another one refers to goes after that one.
    """
    for table in await tables_of_tenants(connection):
        if table in but:
            continue
        try:
            async with connection.transaction():
                gone = await connection.execute(
                    f"""
                    DELETE FROM {table} WHERE ctid = ANY (ARRAY(
                        SELECT ctid FROM {table} WHERE tenant_id = $1 LIMIT $2))
                    """,  # noqa: S608 - quoted above
                    tenant_id,
                    limit,
                )
        except asyncpg.ForeignKeyViolationError:
            continue
        if gone != "DELETE 0":
            return True
    return False

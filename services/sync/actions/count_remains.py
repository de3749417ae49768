"""What is left here of a tenant that was deleted."""

from shared.contracts.remains import CountSyncRemains, Remains
from shared.db import Pool, rows_of_tenant


async def count_remains(query: CountSyncRemains, pool: Pool) -> Remains:
    """Counted as it is now, in every table."""
    async with pool.acquire() as connection:
        return Remains(rows=await rows_of_tenant(connection, query.caller.tenant_id))

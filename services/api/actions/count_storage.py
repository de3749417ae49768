"""Count what the mail and uploads of tenants come to."""

from datetime import UTC, datetime, timedelta

from services.api.store import quotas
from shared.db import Pool

_EVERY = timedelta(hours=1)


async def count_storage(pool: Pool) -> None:
    """Those that have not been counted for an hour, one at a time."""
    async with pool.acquire() as connection:
        tenants = await quotas.uncounted(connection, datetime.now(UTC) - _EVERY)
    for tenant_id in tenants:
        async with pool.acquire() as connection, connection.transaction():
            await quotas.count_storage(connection, tenant_id)

"""Write down who did what, from what was logged on somebody's behalf."""

from datetime import UTC, datetime, timedelta

from services.api.store import audit_log
from shared.db import Pool, in_transaction

_AT_A_TIME = 500


async def write_audit(pool: Pool) -> None:
    """Everything that was logged until now.

    Replicas do it side by side: who comes second to a tenant finds nothing left to read.
    """
    async with pool.acquire() as connection:
        tenants = await audit_log.behind(connection)
    for tenant_id in tenants:
        while await in_transaction(
            pool,
            lambda connection, tenant_id=tenant_id: audit_log.write_from_log(
                connection, tenant_id, _AT_A_TIME
            ),
        ):
            pass


async def forget_audit(pool: Pool, keep: timedelta) -> None:
    """Let go of what was written down long ago."""
    before = datetime.now(UTC) - keep
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await audit_log.forget(connection, before, _AT_A_TIME) == 0:
                return

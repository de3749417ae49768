"""Somebody wants an account's server looked at now."""

from services.sync.store import standing
from shared.contracts.standing import CheckSync
from shared.db import Pool


async def ask_check(command: CheckSync, pool: Pool) -> bool:
    """Leave word for whoever keeps the account; False for one that is not there."""
    async with pool.acquire() as connection:
        return await standing.ask_check(connection, command.account_id, command.tenant_id)

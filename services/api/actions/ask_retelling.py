"""Have everything told again, after rows were lost or wiped."""

from uuid import UUID

from uuid_utils.compat import uuid7

from shared.bus import tell
from shared.contracts.account import RetellAccount
from shared.db import Pool

_EVERY_TENANT = UUID(int=0)


async def ask_retelling(pool: Pool) -> UUID:
    """Ask sync to tell us every account again; returns the generation."""
    generation = uuid7()
    async with pool.acquire() as connection, connection.transaction():
        await tell(
            connection,
            RetellAccount(tenant_id=_EVERY_TENANT, listener="api", generation=generation),
        )
    return generation

"""Have everything told again, after rows were lost or wiped."""

from uuid import UUID

from uuid_utils.compat import uuid7

from shared.bus import tell
from shared.contracts.account import RetellAccount
from shared.db import Pool


async def ask_retelling(
    pool: Pool, *, tenant_id: UUID = UUID(int=0), account_id: UUID | None = None
) -> UUID:
    """Ask sync to tell us an account again, or all of them; returns the generation."""
    generation = uuid7()
    async with pool.acquire() as connection, connection.transaction():
        await tell(
            connection,
            RetellAccount(
                tenant_id=tenant_id, listener="api", generation=generation, account_id=account_id
            ),
        )
    return generation

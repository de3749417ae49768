"""An operator wants threads made anew."""

from uuid import UUID

from services.sync.store import rethreadings
from shared.db import Pool


async def ask_rethreading(pool: Pool, account_id: UUID | None) -> int:
    """Let the threads of an account, or of all, be made anew; of how many.

    Whoever keeps an account finds the wish.
    """
    async with pool.acquire() as connection:
        return await rethreadings.ask(connection, account_id)

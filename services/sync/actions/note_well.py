"""An account was looked at from end to end."""

from services.sync.store import standing
from services.sync.store.accounts import Account
from shared.db import Pool


async def note_well(account: Account, pool: Pool) -> None:
    """It waits for nothing, and the next trouble is a first one again."""
    async with pool.acquire() as connection:
        await standing.end_rest(connection, account.account_id)

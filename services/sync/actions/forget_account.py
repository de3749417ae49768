"""The rows of removed accounts go, some at a time."""

from services.sync.store import accounts
from shared.db import Pool

_ROWS = 2000


async def forget_account(pool: Pool) -> bool:
    """Delete some rows of a removed account; whether there may be more."""
    async with pool.acquire() as connection:
        waiting = await accounts.to_forget(connection)
        for account_id, _ in waiting:
            while True:
                async with connection.transaction():
                    if not await accounts.forget_some(connection, account_id, _ROWS):
                        break
    return bool(waiting)

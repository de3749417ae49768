"""The rows of removed accounts go, some at a time."""

from services.sync.store import accounts
from shared.db import Pool

_ROWS = 2000


async def forget_account(pool: Pool) -> bool:
    """Delete rows of removed accounts; whether there were any."""
    deleted = 0
    async with pool.acquire() as connection:
        for account_id, _ in await accounts.to_forget(connection):
            while True:
                async with connection.transaction():
                    some = await accounts.forget_some(connection, account_id, _ROWS)
                deleted += some
                if not some:
                    break
    return deleted > 0

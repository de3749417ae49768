"""Forget accounts: at once for whoever searches, then row by row."""

from collections.abc import Sequence

from services.indexer.domain.told import Account
from services.indexer.store.accounts import claim_removed, remove_account, sweep
from shared.contracts.account import AccountRemoved
from shared.db import Connection, Pool, in_transaction


async def remove_accounts(removals: Sequence[AccountRemoved], pool: Pool) -> None:
    """From here on nothing of these accounts is found, and nothing is added to them."""

    async def store(connection: Connection) -> None:
        for removed in sorted(removals, key=lambda one: one.account_id):
            account = Account(account_id=removed.account_id, tenant_id=removed.tenant_id)
            await remove_account(connection, account, removed.occurred_at)

    await in_transaction(pool, store)


async def sweep_removed(pool: Pool, *, rows_at_once: int) -> bool:
    """Delete some rows of a removed account; return whether there was one to work on."""

    async def store(connection: Connection) -> bool:
        account_id = await claim_removed(connection)
        if account_id is None:
            return False
        await sweep(connection, account_id, rows_at_once)
        return True

    return await in_transaction(pool, store)

"""Learn how many pages a retell has, and let go of what none of them named."""

from services.indexer.domain.told import Account
from services.indexer.store.accounts import hold_accounts
from services.indexer.store.retellings import close_retelling, note_pages
from shared.contracts.account import AccountRetold
from shared.db import Connection, Pool, in_transaction


async def end_retell(retold: AccountRetold, pool: Pool) -> int | None:
    """Close the retell if all its pages are here, else the last of them will.

    Returns how many messages were let go of; None while pages are missing.
    """
    account = Account(account_id=retold.account_id, tenant_id=retold.tenant_id)

    async def store(connection: Connection) -> int | None:
        if not await hold_accounts(connection, [account]):
            return None
        as_of_revision = await note_pages(
            connection,
            account,
            retold.generation,
            pages_here=[],
            as_of_revision=retold.as_of_revision,
            pages=retold.pages,
        )
        if as_of_revision is None:
            return None
        return await close_retelling(connection, account, retold.generation, as_of_revision)

    return await in_transaction(pool, store)

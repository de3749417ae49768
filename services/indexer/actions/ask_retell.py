"""Ask sync to tell everything again: after a loss, or to prove that there was none."""

from uuid import UUID

from uuid_utils.compat import uuid7

from services.indexer.store.accounts import tenant_of
from shared.bus import tell
from shared.contracts.account import RetellAccount
from shared.db import Connection, Pool, in_transaction

EVERY_TENANT = UUID(int=0)


async def ask_retell(pool: Pool, account_id: UUID | None) -> UUID:
    """Write the command for one account or all of them; the relay of a running service sends it.

    Returns the generation by which the pages that follow are known.
    """
    generation = uuid7()

    async def store(connection: Connection) -> None:
        tenant_id = await tenant_of(connection, account_id) if account_id else None
        await tell(
            connection,
            RetellAccount(
                tenant_id=tenant_id or EVERY_TENANT,
                listener="indexer",
                generation=generation,
                account_id=account_id,
            ),
        )

    await in_transaction(pool, store)
    return generation

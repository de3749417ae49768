"""Let messages be found where and as they now are."""

from collections.abc import Sequence

from services.indexer.domain.told import account_of, told_by_changes
from services.indexer.store.accounts import share_accounts
from services.indexer.store.documents import Shelf, put_documents
from shared.contracts.mail import MessagesChanged
from shared.db import Connection, Pool, in_transaction


async def change_messages(changes: Sequence[MessagesChanged], pool: Pool) -> int:
    """Store new states. A message not yet known becomes a stub until its content comes."""
    told = told_by_changes(changes)

    async def store(connection: Connection) -> None:
        standing = await share_accounts(connection, map(account_of, changes))
        await put_documents(
            connection,
            [one for one in told if one.account.account_id in standing],
            [],
            Shelf.LIVE,
        )

    await in_transaction(pool, store)
    return len(told)

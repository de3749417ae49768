"""Let what can be found of messages be what is in them."""

from collections.abc import Sequence

from services.indexer.actions.reading import Read
from services.indexer.domain.told import account_of, told_by_pages
from services.indexer.store.accounts import share_accounts
from services.indexer.store.documents import Shelf, put_documents
from shared.contracts.mail import MessagesSynced
from shared.db import Connection, Pool, in_transaction


async def index_messages(
    pages: Sequence[MessagesSynced], shelf: Shelf, read: Read, pool: Pool
) -> int:
    """Store the words and the state of these messages; return how many there were."""
    told = told_by_pages(pages)
    contents = await read(told)

    async def store(connection: Connection) -> None:
        standing = await share_accounts(connection, map(account_of, pages))
        await put_documents(
            connection,
            [one for one in told if one.account.account_id in standing],
            [one for one in contents if one.account.account_id in standing],
            shelf,
        )

    await in_transaction(pool, store)
    return len(told)

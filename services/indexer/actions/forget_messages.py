"""Let messages that are gone from the server not be found."""

from collections.abc import Sequence

from services.indexer.domain.told import account_of, gone_by
from services.indexer.store.accounts import share_accounts
from services.indexer.store.documents import put_tombstones
from shared.contracts.mail import MessagesVanished
from shared.db import Connection, Pool, in_transaction


async def forget_messages(pages: Sequence[MessagesVanished], pool: Pool) -> int:
    """Leave a tombstone for each, which a late page does not overwrite."""
    gone = gone_by(pages)

    async def store(connection: Connection) -> None:
        standing = await share_accounts(connection, map(account_of, pages))
        await put_tombstones(
            connection, [one for one in gone if one.account.account_id in standing]
        )

    await in_transaction(pool, store)
    return len(gone)

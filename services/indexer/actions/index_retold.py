"""Take in pages of a retell, each recorded in the transaction of its rows."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.indexer.actions.reading import Read
from services.indexer.domain.told import Account, account_of, told_by_pages
from services.indexer.store.accounts import hold_accounts
from services.indexer.store.documents import Shelf, put_documents
from services.indexer.store.retellings import close_retelling, note_pages
from shared.contracts.mail import MessagesRetold
from shared.db import Connection, Pool, in_transaction


async def index_retold(pages: Sequence[MessagesRetold], read: Read, pool: Pool) -> int:
    """Store what is told again, and close a retell whose last page this was."""
    told = told_by_pages(pages)
    contents = await read(told)
    noted: defaultdict[tuple[UUID, UUID], list[MessagesRetold]] = defaultdict(list)
    for page in pages:
        noted[page.account_id, page.generation].append(page)

    async def store(connection: Connection) -> None:
        standing = await hold_accounts(connection, map(account_of, pages))
        await put_documents(
            connection,
            [one for one in told if one.account.account_id in standing],
            [one for one in contents if one.account.account_id in standing],
            Shelf.ARRIVING,
        )
        for (account_id, generation), here in sorted(noted.items()):
            if account_id not in standing:
                continue
            account = Account(account_id=account_id, tenant_id=here[0].tenant_id)
            as_of_revision = await note_pages(
                connection,
                account,
                generation,
                pages_here=[page.page for page in here],
                as_of_revision=min(page.as_of_revision for page in here),
                pages=None,
            )
            if as_of_revision is not None:
                await close_retelling(connection, account, generation, as_of_revision)

    await in_transaction(pool, store)
    return len(told)

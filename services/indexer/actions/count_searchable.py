"""How much of an account can be found."""

from services.indexer.store.audits import searchable
from shared.contracts.audit import CountSearchable, SearchableAnswer
from shared.db import Pool, tenant_transaction


async def count_searchable(query: CountSearchable, pool: Pool) -> SearchableAnswer:
    """The number for each mailbox, if the caller may see the account."""
    async with tenant_transaction(pool, query.caller) as connection:
        return SearchableAnswer(mailboxes=tuple(await searchable(connection, query.account_id)))

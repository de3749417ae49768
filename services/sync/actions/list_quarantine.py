"""What is on an account's server and could not be kept."""

from services.sync.store import quarantine
from shared.contracts.standing import ListQuarantine, QuarantineAnswer
from shared.db import Pool, tenant_transaction

_MOST = 200


async def list_quarantine(query: ListQuarantine, request_pool: Pool) -> QuarantineAnswer:
    """A page of it, if the caller may see the account; nothing of one that is not theirs."""
    limit = max(1, min(query.limit, _MOST))
    tenant_id = query.caller.tenant_id
    async with tenant_transaction(request_pool, query.caller) as connection:
        found = await quarantine.page(
            connection, tenant_id, query.account_id, query.after, limit + 1
        )
        totals = await quarantine.totals(connection, tenant_id, query.account_id)
    return QuarantineAnswer(messages=tuple(found[:limit]), more=len(found) > limit, totals=totals)

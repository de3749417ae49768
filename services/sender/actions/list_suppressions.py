"""Whom a tenant sends nothing to."""

from services.sender import store
from shared.contracts.submission import ListSuppressions, SuppressionsAnswer
from shared.db import Pool, tenant_transaction

_MOST = 500


async def list_suppressions(query: ListSuppressions, request_pool: Pool) -> SuppressionsAnswer:
    """Some of the caller's tenant's list."""
    async with tenant_transaction(request_pool, query.caller) as connection:
        return SuppressionsAnswer(
            suppressions=tuple(
                await store.suppressions(
                    connection,
                    query.caller.tenant_id,
                    query.email,
                    query.after,
                    min(query.limit, _MOST),
                )
            )
        )

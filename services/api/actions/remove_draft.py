"""Throw a draft away."""

from uuid import UUID

from services.api.actions.drafting import discard, held
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def remove_draft(
    pool: Pool, caller: Caller, draft_id: UUID, *, versions: frozenset[int] | None
) -> None:
    """It is gone, here and in its mailbox; raises NotFound, ChangedMeanwhile."""
    async with tenant_transaction(pool, caller) as connection:
        await discard(connection, await held(connection, caller, draft_id, versions))

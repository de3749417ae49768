"""Throw a draft away."""

from uuid import UUID

from services.api.actions.drafting import discard, held
from services.api.store import log
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def remove_draft(
    pool: Pool, caller: Caller, draft_id: UUID, *, versions: frozenset[int] | None
) -> dict[UUID, int]:
    """It is gone, here and in its mailbox; raises NotFound, ChangedMeanwhile.

    Returns how far the log grew.
    """
    async with tenant_transaction(pool, caller) as connection:
        entries = await discard(connection, await held(connection, caller, draft_id, versions))
        return await log.append(connection, entries)

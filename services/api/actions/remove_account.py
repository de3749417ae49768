"""Disconnect a mail account."""

from datetime import UTC, datetime
from uuid import UUID

from services.api.actions.disconnecting import disconnect
from services.api.domain.refusals import NotFound
from services.api.store import log
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def remove_account(pool: Pool, caller: Caller, account_id: UUID) -> dict[UUID, int]:
    """Gone at once for everybody; a worker deletes its mail here, the server keeps its own.

    Raises NotFound.
    """
    async with tenant_transaction(pool, caller) as connection:
        entries = await disconnect(connection, caller.tenant_id, [account_id], datetime.now(UTC))
        if not entries:
            raise NotFound
        return await log.append(connection, entries)

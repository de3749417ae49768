"""Disconnect a mail account."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain import logbook
from services.api.domain.refusals import NotFound
from services.api.store import accounts, log
from shared.bus import tell
from shared.contracts.account import RemoveSender, RemoveSync
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def remove_account(pool: Pool, caller: Caller, account_id: UUID) -> dict[UUID, int]:
    """Gone at once for everybody; a worker deletes its mail here, the server keeps its own.

    Raises NotFound.
    """
    now = datetime.now(UTC)
    async with tenant_transaction(pool, caller) as connection:
        if not await accounts.bury(connection, caller.tenant_id, account_id, now):
            raise NotFound
        await tell(
            connection,
            RemoveSync(tenant_id=caller.tenant_id, account_id=account_id),
            RemoveSender(tenant_id=caller.tenant_id, account_id=account_id),
        )
        deleted = logbook.of_account(
            "deleted",
            tenant_id=caller.tenant_id,
            account_id=account_id,
            event_id=uuid7(),
            occurred_at=now,
        )
        return await log.append(connection, [deleted])

"""How accounts go: hidden at once, forgotten by every service, and said in the log."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain import logbook
from services.api.domain.logbook import Entry
from services.api.store import accounts
from shared.bus import tell
from shared.contracts.account import RemoveSender, RemoveSync
from shared.db import Connection


async def disconnect(
    connection: Connection, tenant_id: UUID, account_ids: Iterable[UUID], now: datetime
) -> list[Entry]:
    """What the log is to say of those that were there; append it last."""
    entries: list[Entry] = []
    for account_id in account_ids:
        if not await accounts.bury(connection, tenant_id, account_id, now):
            continue
        await tell(
            connection,
            RemoveSync(tenant_id=tenant_id, account_id=account_id),
            RemoveSender(tenant_id=tenant_id, account_id=account_id),
        )
        entries.append(
            logbook.of_account(
                "deleted",
                tenant_id=tenant_id,
                account_id=account_id,
                event_id=uuid7(),
                occurred_at=now,
            )
        )
    return entries

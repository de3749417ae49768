"""Forget accounts that sync has forgotten."""

from collections.abc import Sequence
from uuid import UUID

from services.api.domain import logbook
from services.api.store import accounts, log
from shared.contracts.account import AccountRemoved
from shared.db import Connection, Pool, in_transaction


async def bury_accounts(pool: Pool, events: Sequence[AccountRemoved]) -> dict[UUID, int]:
    """Mark these accounts deleted, where a caller has not done so; returns how far logs grew."""

    async def work(connection: Connection) -> dict[UUID, int]:
        entries: list[logbook.Entry] = []
        for event in sorted(events, key=lambda event: (event.tenant_id, event.account_id)):
            if await accounts.bury(
                connection, event.tenant_id, event.account_id, event.occurred_at
            ):
                entries.append(
                    logbook.of_account(
                        "deleted",
                        tenant_id=event.tenant_id,
                        account_id=event.account_id,
                        event_id=event.event_id,
                        occurred_at=event.occurred_at,
                    )
                )
        return await log.append(connection, await log.unlogged(connection, entries))

    return await in_transaction(pool, work)

"""Somebody wants that nothing is sent to an address any more, or that it is again."""

from services.sender import store
from services.sender.domain.hearsay import Shunned
from shared.contracts.submission import ChangeSuppression, SuppressionReason
from shared.db import Connection, Pool, in_transaction


async def change_suppression(command: ChangeSuppression, pool: Pool) -> None:
    """Put the address on the tenant's list, or take it off."""

    async def work(connection: Connection) -> None:
        if command.suppressed:
            shunned = Shunned(command.email, SuppressionReason.MANUAL, command.said)
            await store.suppress(connection, command.tenant_id, [shunned], None)
        else:
            await store.unsuppress(connection, command.tenant_id, command.email)

    await in_transaction(pool, work)

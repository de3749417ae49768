"""Delete what is kept of deleted tenants and of people who have gone."""

from uuid import UUID

import structlog

from services.api.store import deletions
from shared.bus import Bus, DeadLettersAway, forget_dead_letters
from shared.db import Connection, Pool, forget_some_of_tenant, in_transaction

_AT_A_TIME = 2000
#: What says that the ids were used, and what was deleted; and what has a way of its own.
KEPT = ("account", "audit_log", "deletion", "tenant")

log = structlog.get_logger()


async def forget_tenant(pool: Pool, bus: Bus) -> bool:
    """Delete some rows of one deleted tenant; False when there is nothing to do for now.

    Its accounts go first, each by each. Then all that any table has of it, its audit, and what was
    buried of it on the bus; its own row stays as a tombstone, without a name.
    """

    async def some_rows(connection: Connection) -> UUID | bool:
        tenant_id = await deletions.tenant_to_forget(connection)
        if tenant_id is None:
            await deletions.forget_people(connection)
            return False
        if await forget_some_of_tenant(connection, tenant_id, but=KEPT, limit=_AT_A_TIME):
            return True
        return bool(await deletions.forget_audit_of(connection, tenant_id, _AT_A_TIME)) or tenant_id

    emptied = await in_transaction(pool, some_rows)
    if isinstance(emptied, bool):
        return emptied
    try:
        await forget_dead_letters(bus.js, emptied)
    except DeadLettersAway as error:
        log.warning("dead letters of a deleted tenant wait", error=str(error))
        return False
    await in_transaction(pool, lambda connection: deletions.forget_tenant(connection, emptied))
    return True

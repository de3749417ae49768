"""Where a message is that somebody wants to have a part of."""

from services.sync.store import whereabouts
from services.sync.store.whereabouts import Whereabouts
from shared.contracts.attachment import FetchPart
from shared.db import Pool, tenant_transaction


async def locate_message(query: FetchPart, request_pool: Pool) -> Whereabouts | None:
    """Its place, if the caller may see it."""
    async with tenant_transaction(request_pool, query.caller) as connection:
        return await whereabouts.of_message(connection, query.caller.tenant_id, query.message_id)

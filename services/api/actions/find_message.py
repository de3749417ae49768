"""Find a message of which somebody wants to have a part."""

from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import reading
from services.api.store.reading import ShownMessage
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def find_message(pool: Pool, caller: Caller, message_id: UUID) -> ShownMessage:
    """The message as lists show it, if the caller may see it; raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        message = await reading.by_id(connection, caller.tenant_id, message_id)
    if message is None:
        raise NotFound
    return message

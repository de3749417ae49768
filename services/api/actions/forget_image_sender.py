"""Somebody wants to be asked again before images of a sender are shown."""

from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import image_senders
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def forget_image_sender(
    pool: Pool, caller: Caller, person_id: UUID, image_sender_id: UUID
) -> None:
    """Raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        if not await image_senders.remove(connection, caller.tenant_id, person_id, image_sender_id):
            raise NotFound

"""Somebody wants to see the images of a sender without being asked each time."""

from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain.refusals import ImageSendersFull
from services.api.store import image_senders
from services.api.store.image_senders import ImageSender
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction

_MOST = 1000


async def allow_image_sender(
    pool: Pool, caller: Caller, person_id: UUID, sender: str
) -> ImageSender:
    """The sender as allowed, now or before. Raises ImageSendersFull."""
    async with tenant_transaction(pool, caller) as connection:
        kept = await image_senders.add(
            connection, caller.tenant_id, person_id, uuid7(), sender, _MOST
        )
    if kept is None:
        raise ImageSendersFull
    return kept

"""Whether a reader has said that images of whoever sent a message are to be shown."""

from uuid import UUID

from services.api.domain.image_senders import is_doubtful, names_for
from services.api.store import image_senders
from services.api.store.reading import ShownMessage
from shared.contracts.envelope import Caller
from shared.contracts.mail import MessageContent
from shared.db import Pool, tenant_transaction


async def decide_images(
    pool: Pool, caller: Caller, person_id: UUID, message: ShownMessage, content: MessageContent
) -> str | None:
    """The allowed sender, an address or a domain, by whom they are shown; None: they are not."""
    names = names_for(message.sender_email or "")
    if not names or is_doubtful(content.authentication, message.keywords):
        return None
    async with tenant_transaction(pool, caller) as connection:
        return await image_senders.allowed(
            connection, caller.tenant_id, person_id, names, message.mailbox_id
        )

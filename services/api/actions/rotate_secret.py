"""Give a webhook a new secret, while the old one is still good for a while."""

from datetime import datetime, timedelta
from uuid import UUID

from services.api.actions.identify_caller import Who
from services.api.actions.telling import Manner, add_secret, note_change
from services.api.domain.refusals import NotFound
from services.api.store import webhooks
from services.api.store.webhooks import Webhook
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def rotate_secret(
    pool: Pool,
    caller: Caller,
    manner: Manner,
    webhook_id: UUID,
    secret: bytes,
    *,
    who: Who,
    overlap: timedelta,
    now: datetime,
) -> Webhook:
    """Sign with both until the overlap is over. Of three, the oldest goes at once.

    Raises NotFound.
    """
    async with tenant_transaction(pool, caller) as connection:
        webhook = await webhooks.hold(connection, caller.tenant_id, webhook_id)
        if webhook is None:
            raise NotFound
        await webhooks.end_secrets(
            connection, caller.tenant_id, webhook_id, now=now, ends_at=now + overlap
        )
        await add_secret(connection, caller.tenant_id, webhook_id, secret, manner.keys, now)
        await note_change(connection, who, "webhook.secret_rotated", webhook)
        return webhook

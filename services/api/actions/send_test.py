"""Tell an endpoint something that did not happen, to see whether it hears."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from services.api.actions.telling import Manner, delivery_of, tell
from services.api.domain.refusals import NotFound
from services.api.domain.webhooks import TEST_TYPE, envelope
from services.api.store import deliveries, webhooks
from services.api.store.deliveries import Delivery
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.db import Pool, tenant_transaction


async def send_test(
    pool: Pool, caller: Caller, manner: Manner, webhook_id: UUID, clock: Callable[[], datetime]
) -> Delivery:
    """One attempt, at once, also where the webhook is paused. Raises NotFound."""
    now = clock()
    async with tenant_transaction(pool, caller) as connection:
        webhook = await webhooks.by_id(connection, caller.tenant_id, webhook_id)
        if webhook is None:
            raise NotFound
        secrets = await webhooks.live_secrets(connection, caller.tenant_id, webhook_id, now)
    told = envelope(
        tenant_id=caller.tenant_id,
        account_id=None,
        event_id=uuid7(),
        n=0,
        type=TEST_TYPE,
        occurred_at=now,
        place=None,
        data=msgspec.json.encode({"id": shown(Kind.WEBHOOK, webhook_id)}),
    )
    poster = manner.poster()
    try:
        answer = await tell(poster, manner, webhook, secrets, told, now=now)
    finally:
        poster.close()
    delivery = delivery_of(webhook, told, answer, account_id=None, cursor=None, attempt=1, now=now)
    async with tenant_transaction(pool, caller) as connection:
        await deliveries.add(connection, delivery)
    return delivery

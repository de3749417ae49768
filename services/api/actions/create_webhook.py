"""Have an endpoint told what happens."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.identify_caller import Who
from services.api.actions.telling import Manner, add_secret, note_change, refuse_endpoint
from services.api.domain.event_query import EventQuery
from services.api.domain.refusals import TokenRefused, TooManyWebhooks
from services.api.store import log, webhooks
from services.api.store.webhooks import Webhook
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def create_webhook(
    pool: Pool,
    caller: Caller,
    manner: Manner,
    *,
    who: Who,
    url: str,
    description: str,
    types: Sequence[str] | None,
    account_ids: Sequence[UUID] | None,
    query: EventQuery | None,
    secret: bytes,
    most: int,
    now: datetime,
) -> Webhook:
    """The webhook; it is told what the log says from now on.

    Raises EndpointRefused, TooManyWebhooks.
    """
    refuse_endpoint(url, manner)
    async with tenant_transaction(pool, caller) as connection:
        if await webhooks.lock_tenant(connection, caller.tenant_id) >= most:
            raise TooManyWebhooks
        place = await log.position(connection, caller.tenant_id)
        if place is None:
            raise TokenRefused("The tenant is gone.")
        webhook = Webhook(
            tenant_id=caller.tenant_id,
            webhook_id=uuid7(),
            acts_for=who.person_id,
            url=url,
            description=description,
            types=None if types is None else list(types),
            account_ids=None if account_ids is None else list(account_ids),
            read_to=place.seq,
            paused_at=None,
            paused_because=None,
            failures=0,
            failing_since=None,
            succeeded_at=None,
            failed_at=None,
            created_at=now,
            updated_at=now,
            query=query,
        )
        await webhooks.add(connection, webhook)
        await add_secret(connection, caller.tenant_id, webhook.webhook_id, secret, manner.keys, now)
        await note_change(connection, who, "webhook.made", webhook)
    return webhook

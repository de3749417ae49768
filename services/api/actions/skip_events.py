"""Give up what an endpoint does not take."""

from datetime import datetime
from uuid import UUID

from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.identify_caller import Who
from services.api.actions.telling import next_wanted, note_change
from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import public_id
from services.api.domain.refusals import NotFound
from services.api.domain.webhooks import Result
from services.api.store import deliveries, lanes, webhooks
from services.api.store.deliveries import Delivery
from services.api.store.webhooks import Webhook
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def skip_stuck(
    pool: Pool,
    caller: Caller,
    webhook_id: UUID,
    account_id: UUID | None,
    *,
    who: Who,
    now: datetime,
) -> Webhook:
    """Give up the event that each account is stuck at, or this one, and go on behind it.

    Raises NotFound.
    """
    async with tenant_transaction(pool, caller) as connection:
        webhook = await webhooks.hold(connection, caller.tenant_id, webhook_id)
        if webhook is None:
            raise NotFound
        for lane in await lanes.stuck(connection, caller.tenant_id, webhook_id, account_id):
            event, _ = await next_wanted(connection, lane, webhook)
            if event is None:  # not the caller's to see, or not wanted any more
                continue
            await deliveries.add(
                connection,
                Delivery(
                    tenant_id=lane.tenant_id,
                    delivery_id=uuid7(),
                    webhook_id=webhook_id,
                    account_id=lane.account_id,
                    cursor=LogCursor(event.epoch, event.seq).shown(),
                    event_id=public_id(event.event_id, event.n),
                    type=event.type,
                    attempt=lane.attempts + 1,
                    attempted_at=now,
                    result=Result.SKIPPED.value,
                ),
            )
            await lanes.skip(
                connection,
                caller.tenant_id,
                webhook_id,
                lanes=[lane.lane],
                up_to=event.seq,
                now=now,
            )
        await note_change(connection, who, "webhook.skipped", webhook)
        return webhook


async def skip_until(
    pool: Pool,
    caller: Caller,
    webhook_id: UUID,
    account_id: UUID | None,
    until: LogCursor,
    *,
    who: Who,
    now: datetime,
) -> Webhook:
    """Give up all that waits up to this place, of one account or of all. Raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        webhook = await webhooks.hold(connection, caller.tenant_id, webhook_id)
        if webhook is None:
            raise NotFound
        if account_id is None:
            webhook = structs.replace(webhook, read_to=max(webhook.read_to, until.seq))
            await webhooks.change(connection, webhook)
        await lanes.skip(
            connection,
            caller.tenant_id,
            webhook_id,
            lanes=None if account_id is None else [account_id],
            up_to=until.seq if account_id is None else min(until.seq, webhook.read_to),
            now=now,
        )
        await note_change(connection, who, "webhook.skipped", webhook)
        return webhook

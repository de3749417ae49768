"""Tell an endpoint again what it was told before, from a place in the log on."""

from datetime import datetime
from uuid import UUID

from msgspec import structs

from services.api.actions.identify_caller import Who
from services.api.actions.telling import note_change
from services.api.domain.cursors import LogCursor
from services.api.domain.refusals import NotFound
from services.api.store import lanes, webhooks
from services.api.store.webhooks import Webhook
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def replay_events(
    pool: Pool, caller: Caller, webhook_id: UUID, after: LogCursor, *, who: Who, now: datetime
) -> Webhook:
    """Everything behind this place is told again, in order; what waits already is not passed over.

    Raises NotFound.
    """
    async with tenant_transaction(pool, caller) as connection:
        known = await webhooks.hold(connection, caller.tenant_id, webhook_id)
        if known is None:
            raise NotFound
        back = structs.replace(known, read_to=min(known.read_to, after.seq), updated_at=now)
        await webhooks.change(connection, back)
        await lanes.go_back(connection, caller.tenant_id, webhook_id, after=after.seq, now=now)
        await note_change(connection, who, "webhook.replayed", back)
        return back

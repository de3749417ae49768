"""Change where a webhook's events go, or which they are; pause it, and go on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, structs

from services.api.actions.identify_caller import Who
from services.api.actions.telling import Manner, note_change, refuse_endpoint
from services.api.domain.event_query import EventQuery
from services.api.domain.refusals import NotFound
from services.api.domain.webhooks import PausedBecause
from services.api.store import lanes, webhooks
from services.api.store.webhooks import Webhook
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


class WebhookChange(Struct, frozen=True, kw_only=True):
    """What is to be different about a webhook; what is not set stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    types: Sequence[str] | UnsetType | None = UNSET
    account_ids: Sequence[UUID] | UnsetType | None = UNSET
    query: EventQuery | UnsetType | None = UNSET


async def change_webhook(
    pool: Pool,
    caller: Caller,
    manner: Manner,
    webhook_id: UUID,
    change: WebhookChange,
    *,
    who: Who,
    now: datetime,
) -> Webhook:
    """The webhook as it now is; what was not delivered yet follows the change.

    From then on it tells what whoever changed it may see: nobody can have another's events sent
    elsewhere. Raises NotFound, EndpointRefused.
    """
    if change.url is not UNSET:
        refuse_endpoint(change.url, manner)
    changes: dict[str, Any] = {
        name: value for name, value in structs.asdict(change).items() if value is not UNSET
    }
    async with tenant_transaction(pool, caller) as connection:
        known = await webhooks.hold(connection, caller.tenant_id, webhook_id)
        if known is None:
            raise NotFound
        if set(changes) - {"description"}:
            changes["acts_for"] = who.person_id
        changed = structs.replace(known, **changes, updated_at=now)
        await webhooks.change(connection, changed)
        await note_change(connection, who, "webhook.changed", changed)
        return changed


async def pause_webhook(
    pool: Pool, caller: Caller, webhook_id: UUID, *, who: Who, now: datetime
) -> Webhook:
    """Tell it nothing until it is resumed; what happens meanwhile waits. Raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        known = await webhooks.hold(connection, caller.tenant_id, webhook_id)
        if known is None:
            raise NotFound
        if known.paused_at is not None:
            return known
        paused = structs.replace(
            known, paused_at=now, paused_because=PausedBecause.ASKED.value, updated_at=now
        )
        await webhooks.change(connection, paused)
        await note_change(connection, who, "webhook.paused", paused)
        return paused


async def resume_webhook(
    pool: Pool, caller: Caller, webhook_id: UUID, *, who: Who, now: datetime
) -> Webhook:
    """Go on where it was left, at once and as if nothing had failed. Raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        known = await webhooks.hold(connection, caller.tenant_id, webhook_id)
        if known is None:
            raise NotFound
        nobody = known.paused_because == PausedBecause.NOBODY.value
        resumed = structs.replace(
            known,
            acts_for=who.person_id if nobody else known.acts_for,
            paused_at=None,
            paused_because=None,
            failures=0,
            failing_since=None,
            updated_at=now,
        )
        await webhooks.change(connection, resumed)
        await lanes.resume(connection, caller.tenant_id, webhook_id, now)
        await note_change(connection, who, "webhook.resumed", resumed)
        return resumed

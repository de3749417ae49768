"""Say what of the log no webhook can be told any more, before it goes."""

from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import Entry, of_webhook
from services.api.metrics import WEBHOOK_EVENTS_LOST
from services.api.store import lanes, log
from services.api.store.lanes import Loss
from shared.contracts.ids import Kind, shown
from shared.db import Connection, Pool, in_transaction

_log = structlog.get_logger()

_MOST_NAMED = 100


async def lose_untold(pool: Pool, keep: timedelta, now: datetime) -> dict[UUID, int]:
    """Give up what is older than that; an event for each webhook says how much that was.

    Returns the logs that grew.
    """
    before = now - keep
    async with pool.acquire() as connection:
        tenants = await lanes.tenants_with_lanes(connection)
    grew: dict[UUID, int] = {}
    for tenant_id in tenants:

        async def work(connection: Connection, tenant_id: UUID = tenant_id) -> dict[UUID, int]:
            lost = await lanes.lose(connection, tenant_id, before=before)
            told = [_told(list(some), now) for _, some in groupby(lost, lambda one: one.webhook_id)]
            return await log.append(connection, told)

        grew |= await in_transaction(pool, work)
    return grew


def _told(lost: list[Loss], now: datetime) -> Entry:
    events = sum(one.events for one in lost)
    WEBHOOK_EVENTS_LOST.inc(events)
    first = lost[0]
    _log.warning("webhook lost events", webhook_id=str(first.webhook_id), events=events)
    return of_webhook(
        "lost",
        tenant_id=first.tenant_id,
        webhook_id=first.webhook_id,
        event_id=uuid7(),
        occurred_at=now,
        more={
            "count": events,
            "first": LogCursor(first.epoch, min(one.first for one in lost)).shown(),
            "last": LogCursor(first.epoch, max(one.last for one in lost)).shown(),
            "account_ids": [
                shown(Kind.ACCOUNT, one.account_id)
                for one in lost[:_MOST_NAMED]
                if one.account_id is not None
            ],
        },
    )

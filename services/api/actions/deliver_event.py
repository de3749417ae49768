"""Tell an endpoint the next event of an account."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from services.api.actions.telling import Manner, delivery_of, next_wanted, tell
from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import of_webhook
from services.api.domain.webhooks import (
    Envelope,
    PausedBecause,
    Result,
    asked_pause,
    envelope,
    pause_before,
)
from services.api.metrics import WEBHOOK_LAG_SECONDS, WEBHOOKS_PAUSED
from services.api.store import deliveries, lanes, log, people, webhooks
from services.api.store.lanes import Lane, WaitingEvent
from services.api.store.webhooks import Secret, Webhook
from services.api.web.posting import Answer, Poster
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.db import Connection, Pool, in_transaction, tenant_transaction

_log = structlog.get_logger()
_GONE = 410  # RFC 9110 §15.5.11; by Standard Webhooks: send no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """Where a lane is after one attempt, and whose logs grew by it."""

    lane: Lane | None = None  # None: there is nothing more to tell now
    grew: Mapping[UUID, int] = field(default_factory=dict[UUID, int])
    due_at: datetime | None = None  # when it is tried again


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    webhook: Webhook
    secrets: list[Secret]
    event: WaitingEvent


async def deliver_event(
    pool: Pool,
    request_pool: Pool,
    poster: Poster,
    manner: Manner,
    lane: Lane,
    clock: Callable[[], datetime],
) -> Delivered:
    """One attempt at the next event of this lane, which we have the lease of."""
    found = await _next(pool, request_pool, manner, lane, clock())
    if isinstance(found, Delivered):
        return found
    webhook, event = found.webhook, found.event
    told = _envelope(lane, event)
    began = clock()
    answer = await tell(poster, manner, webhook, found.secrets, told, now=began)
    now = clock()
    delivery = delivery_of(
        webhook,
        told,
        answer,
        account_id=lane.account_id,
        cursor=LogCursor(event.epoch, event.seq).shown(),
        attempt=lane.attempts + 1,
        now=began,
    )

    async def keep(connection: Connection) -> Delivered:
        # The webhook before its lanes: nobody locks them the other way round.
        if answer.result is Result.OK:
            recovered = await webhooks.note_success(
                connection, lane.tenant_id, lane.webhook_id, now
            )
            await deliveries.add(connection, delivery)
            moved = await lanes.advance(
                connection, lane, seq=event.seq, now=now, lease=manner.lease
            )
            if recovered:
                await lanes.hurry(connection, lane.tenant_id, lane.webhook_id, now)
            return Delivered(lane=moved, due_at=now if recovered else None)
        await webhooks.note_failure(connection, lane.tenant_id, lane.webhook_id, now)
        await deliveries.add(connection, delivery)
        return await _put_off(connection, lane, webhook, answer, manner, now)

    delivered = await in_transaction(pool, keep)
    if answer.result is Result.OK:
        WEBHOOK_LAG_SECONDS.observe(max((now - event.logged_at).total_seconds(), 0))
    return delivered


async def _next(
    pool: Pool, request_pool: Pool, manner: Manner, lane: Lane, now: datetime
) -> _Next | Delivered:
    """What is to be told, as far as the one may see it for whom the webhook acts."""
    async with pool.acquire() as connection:
        webhook = await webhooks.by_id(connection, lane.tenant_id, lane.webhook_id)
        if webhook is None or webhook.paused_at is not None:
            await lanes.give_back(connection, lane)
            return Delivered()
        access = await people.access_of_member(
            connection, tenant_id=lane.tenant_id, person_id=webhook.acts_for
        )
        secrets = await webhooks.live_secrets(connection, lane.tenant_id, lane.webhook_id, now)
    if access is None:
        return await _pause(pool, lane, PausedBecause.NOBODY, now)
    seen = (*access.account_ids, *access.past_account_ids)
    wanted = webhook.account_ids
    looked_to = lane.wanted_to
    if wanted is None or lane.account_id in wanted:
        reader = Caller(tenant_id=lane.tenant_id, account_ids=seen)
        async with tenant_transaction(request_pool, reader) as connection:
            event, looked_to = await next_wanted(connection, lane, webhook)
        if event is not None:
            return _Next(webhook=webhook, secrets=secrets, event=event)

    async def pass_over(connection: Connection) -> Delivered:
        return Delivered(
            lane=await lanes.advance(connection, lane, seq=looked_to, now=now, lease=manner.lease)
        )

    return await in_transaction(pool, pass_over)


async def _put_off(
    connection: Connection,
    lane: Lane,
    webhook: Webhook,
    answer: Answer,
    manner: Manner,
    now: datetime,
) -> Delivered:
    """Try it again later, or no more: then the webhook is paused, and what waits is kept.

    Where the endpoint takes what it is told of other accounts, only this one's events wait.
    """
    pause = pause_before(lane.attempts + 1, first=manner.first_pause, random=random.random())  # noqa: S311 - spreads, keeps no secret
    due_at = now + max(pause, asked_pause(answer.retry_after, now))
    began = lane.failing_since or now
    tired = now - began >= manner.give_up_after
    alone = tired and webhook.succeeded_at is not None and webhook.succeeded_at > began
    held = await lanes.put_off(connection, lane, now=now, due_at=due_at, paused=alone)
    if not held:
        return Delivered()
    because = (
        PausedBecause.GONE if answer.status == _GONE else PausedBecause.FAILING if tired else None
    )
    if because is None:
        return Delivered(due_at=due_at)
    whole = because is PausedBecause.GONE or not alone
    if whole and not await webhooks.pause(
        connection, lane.tenant_id, lane.webhook_id, because, now
    ):
        return Delivered()
    return Delivered(grew=await _say_paused(connection, lane, because, now, alone=not whole))


async def _pause(pool: Pool, lane: Lane, because: PausedBecause, now: datetime) -> Delivered:
    async def work(connection: Connection) -> Delivered:
        paused = await webhooks.pause(connection, lane.tenant_id, lane.webhook_id, because, now)
        await lanes.give_back(connection, lane)
        if not paused:
            return Delivered()
        return Delivered(grew=await _say_paused(connection, lane, because, now, alone=False))

    return await in_transaction(pool, work)


async def _say_paused(
    connection: Connection,
    lane: Lane,
    because: PausedBecause,
    now: datetime,
    *,
    alone: bool,
) -> dict[UUID, int]:
    WEBHOOKS_PAUSED.labels(because.value).inc()
    _log.warning("webhook paused", webhook_id=str(lane.webhook_id), because=because.value)
    account_id = lane.account_id
    named = [] if account_id is None else [shown(Kind.ACCOUNT, account_id)]
    paused = of_webhook(
        "paused",
        tenant_id=lane.tenant_id,
        webhook_id=lane.webhook_id,
        event_id=uuid7(),
        occurred_at=now,
        more={"reason": because.value, "account_ids": named if alone else None},
    )
    return await log.append(connection, [paused])


def _envelope(lane: Lane, event: WaitingEvent) -> Envelope:
    return envelope(
        tenant_id=lane.tenant_id,
        account_id=event.account_id,
        event_id=event.event_id,
        n=event.n,
        type=event.type,
        occurred_at=event.occurred_at,
        place=LogCursor(event.epoch, event.seq),
        data=event.body.encode(),
    )

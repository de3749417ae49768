"""How an endpoint is told something: whose secrets sign it, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.identify_caller import Who
from services.api.domain.event_query import matches
from services.api.domain.refusals import EndpointRefused
from services.api.domain.web_address import WebAddress
from services.api.domain.webhooks import CONTENT_TYPE, Envelope, Result, signed_headers
from services.api.metrics import WEBHOOK_DELIVERIES
from services.api.store import audit_log, lanes, mailboxes, webhooks
from services.api.store.deliveries import Delivery
from services.api.store.lanes import Lane, WaitingEvent
from services.api.store.webhooks import Secret, Webhook
from services.api.web.posting import Answer, Poster
from shared.contracts.ids import Kind, shown
from shared.db import Connection
from shared.dial import Policy
from shared.seal import OpeningKeys, key_id_of, open_own, seal_own

_LOOKED_AT = 200  # events at a time, of which a query may want none


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How endpoints are told, and how long it is tried."""

    keys: OpeningKeys
    policy: Policy
    allow_http: bool
    answer_within: float  # seconds
    first_pause: timedelta
    give_up_after: timedelta

    def poster(self) -> Poster:
        return Poster(policy=self.policy, seconds=self.answer_within)

    @property
    def lease(self) -> timedelta:
        """Longer than one attempt can take, and short enough to wait for when we are killed."""
        return timedelta(seconds=self.answer_within + 10)


async def next_wanted(
    connection: Connection, lane: Lane, webhook: Webhook
) -> tuple[WaitingEvent | None, int]:
    """The next event of a lane that its webhook wants and the caller may see; how far was looked.

    Where a query wants none of many, that is not yet the end.
    """
    query = webhook.query
    most = 1 if query is None else _LOOKED_AT
    events = await lanes.next_events(connection, lane, webhook.told_types, most)
    named = (
        await mailboxes.named(connection, lane.tenant_id)
        if events and query is not None and query.asks_where
        else {}
    )
    for event in events:
        if query is None or matches(query, event.type, event.body, named):
            return event, event.seq
    return None, events[-1].seq if len(events) == most else lane.wanted_to


def address_of(url: str, manner: Manner) -> WebAddress | None:
    """Where events go, unless they are not sent there."""
    address = WebAddress.read(url)
    if address is None or not (address.tls or manner.allow_http):
        return None
    return address


async def note_change(connection: Connection, who: Who, action: str, webhook: Webhook) -> None:
    """Let the audit say who did it. Of the address only the host: the rest may be a secret."""
    address = WebAddress.read(webhook.url)
    did = who.did(
        action,
        subject=shown(Kind.WEBHOOK, webhook.webhook_id),
        details={"host": address.host if address else ""},
    )
    await audit_log.note(connection, did)


def refuse_endpoint(url: str, manner: Manner) -> None:
    """Say at once what would fail each time; a name is looked up when there is something to say.

    Raises EndpointRefused.
    """
    address = address_of(url, manner)
    if address is None or (address.ip is not None and not manner.policy.allows(address.ip)):
        raise EndpointRefused(pointers=("/url",))


def belongs_to(tenant_id: UUID, webhook_id: UUID) -> str:
    """What a webhook's secrets are sealed for."""
    return f"webhook {tenant_id} {webhook_id}"


async def add_secret(
    connection: Connection,
    tenant_id: UUID,
    webhook_id: UUID,
    secret: bytes,
    keys: OpeningKeys,
    now: datetime,
) -> None:
    sealed = seal_own(secret, keys, belongs_to(tenant_id, webhook_id))
    await webhooks.add_secret(
        connection,
        tenant_id,
        webhook_id,
        secret_id=uuid7(),
        key_id=key_id_of(sealed),
        sealed=sealed,
        now=now,
    )


async def tell(
    poster: Poster,
    manner: Manner,
    webhook: Webhook,
    secrets: Sequence[Secret],
    told: Envelope,
    *,
    now: datetime,
) -> Answer:
    """Say it once."""
    address = address_of(webhook.url, manner)
    if address is None:  # what the operator allowed once is not allowed any more
        answer = Answer(result=Result.UNREACHABLE, detail=EndpointRefused().detail, milliseconds=0)
    else:
        place = belongs_to(webhook.tenant_id, webhook.webhook_id)
        opened = [open_own(secret.sealed, manner.keys, place) for secret in secrets]
        headers = [("Content-Type", CONTENT_TYPE), *signed_headers(told, opened, at=now)]
        answer = await poster.post(address, headers, told.body)
    WEBHOOK_DELIVERIES.labels(answer.result.value).inc()
    return answer


def delivery_of(
    webhook: Webhook,
    told: Envelope,
    answer: Answer,
    *,
    account_id: UUID | None,
    cursor: str | None,
    attempt: int,
    now: datetime,
) -> Delivery:
    """What is remembered of it."""
    return Delivery(
        tenant_id=webhook.tenant_id,
        delivery_id=uuid7(),
        webhook_id=webhook.webhook_id,
        account_id=account_id,
        cursor=cursor,
        event_id=told.event_id,
        type=told.type,
        attempt=attempt,
        attempted_at=now,
        result=answer.result.value,
        status=answer.status,
        milliseconds=answer.milliseconds,
        detail=answer.detail,
        response_head=answer.head,
        response_body=answer.body,
    )

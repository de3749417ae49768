"""What bodies and answers of webhooks look like, for the reference."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from services.api.domain.logbook import public_id
from services.api.http.bodies import Body
from services.api.http.shown_webhooks import (
    Backlog,
    DeliveryPage,
    MadeWebhook,
    OpenWebhook,
    ShownDelivery,
    ShownWebhook,
    Webhooks,
    WebhookSecret,
)
from services.api.http.webhooks import ChangedWebhook, NewWebhook, Replay, Rotation, Skip
from shared.contracts.ids import Kind, shown

_NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_ACCOUNT = shown(Kind.ACCOUNT, UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13"))
_MEMBERS: dict[str, Any] = {
    "id": shown(Kind.WEBHOOK, UUID("01936d36-3b1c-7d45-a8e2-6f0c9d8b7a13")),
    "url": "https://example.org/postbus",
    "description": "Tells the helpdesk of new mail",
    "types": ["message.received"],
    "account_ids": [_ACCOUNT],
    "query": "in:inbox subject:invoice",
    "acts_for": shown(Kind.USER, UUID("01936d2c-8b40-7d93-9c5e-e4a2f7b1d068")),
    "state": "active",
    "paused_because": None,
    "paused_at": None,
    "failing_since": None,
    "last_success_at": _NOON,
    "last_failure_at": None,
    "created_at": _NOON,
    "updated_at": _NOON,
}
_DELIVERY = ShownDelivery(
    id="01936d37-1c5e-7b90-8d3f-2a6e4c8f0b71",
    event_id=public_id(UUID("01936d31-0a11-7d08-b3f5-90c2e7a4861d"), 0),
    type="message.received",
    account_id=_ACCOUNT,
    cursor="1-42",
    attempt=1,
    attempted_at=_NOON,
    result="ok",
    status=204,
    milliseconds=38,
    detail=None,
    response_head="HTTP/1.1 204 No Content\nserver: example",
    response_body="",
)

BODIES: dict[type[Body], dict[str, Any]] = {
    NewWebhook: {
        "url": "https://example.org/postbus",
        "description": "Tells the helpdesk of new mail",
        "types": ["message.received"],
        "account_ids": [_ACCOUNT],
    },
    ChangedWebhook: {"types": None},
    Replay: {"after": "1-42"},
    Skip: {"account_id": _ACCOUNT},
    Rotation: {"overlap_hours": 24},
}
ANSWERS: tuple[Struct, ...] = (
    ShownWebhook(**_MEMBERS),
    Webhooks(items=[ShownWebhook(**_MEMBERS)]),
    MadeWebhook(**_MEMBERS, secret="whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),  # noqa: S106 - nobody's
    OpenWebhook(
        **_MEMBERS,
        backlog=Backlog(
            events=3,
            accounts=1,
            failing_accounts=0,
            oldest_at=_NOON,
            next_attempt_at=_NOON,
        ),
        secrets=[WebhookSecret(created_at=_NOON, ends_at=None)],
    ),
    _DELIVERY,
    DeliveryPage(items=[_DELIVERY], next_cursor=None),
)

"""How webhooks and their deliveries are shown."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from services.api.domain.webhooks import shown_secret
from services.api.http.moments import Moment
from services.api.http.paging import Page
from services.api.store.deliveries import Delivery
from services.api.store.lanes import Waiting
from services.api.store.webhooks import Secret, Webhook
from shared.contracts.ids import Kind, shown


class WebhookSecret(Struct, frozen=True, kw_only=True):
    """A secret that is good now; its text is shown when it is made, and never again."""

    created_at: Moment
    ends_at: Moment | None


class Backlog(Struct, frozen=True, kw_only=True):
    """What it is yet to be told. At most 10,000 events are counted."""

    events: int
    accounts: int
    failing_accounts: int
    oldest_at: Moment | None
    next_attempt_at: Moment | None


class ShownWebhook(Struct, frozen=True, kw_only=True):
    """A webhook and how it is doing.

    `state`: active, failing (it goes on being tried), paused. `paused_because`: asked, failing (for
    days), gone (it answered 410), nobody (`acts_for` is no member any more). It is told what the
    person may see who last said where events go or which they are: `acts_for`.
    """

    id: str
    url: str
    description: str
    types: list[str] | None
    account_ids: list[str] | None
    query: str | None  # in the language of searches; null: whatever messages say
    acts_for: str
    state: str
    paused_because: str | None
    paused_at: Moment | None
    failing_since: Moment | None
    last_success_at: Moment | None
    last_failure_at: Moment | None
    created_at: Moment
    updated_at: Moment


class Webhooks(Struct, frozen=True, kw_only=True):
    """All webhooks of the tenant."""

    items: list[ShownWebhook]


class OpenWebhook(ShownWebhook, frozen=True, kw_only=True):
    """A webhook with its backlog and its secrets."""

    backlog: Backlog
    secrets: list[WebhookSecret]


class MadeWebhook(ShownWebhook, frozen=True, kw_only=True):
    """A webhook with its secret, which is shown now and never again."""

    secret: str


class ShownDelivery(Struct, frozen=True, kw_only=True):
    """One attempt to deliver one event: what was answered, and how fast.

    `result`: ok, refused (an answer other than 2xx), unreachable, timed_out, broken (the answer
    broke off), skipped.
    """

    id: str
    event_id: str
    type: str
    account_id: str | None
    cursor: str | None
    attempt: int
    attempted_at: Moment
    result: str
    status: int | None
    milliseconds: int | None
    detail: str | None
    response_head: str | None
    response_body: str | None


class DeliveryPage(Page[ShownDelivery], frozen=True, kw_only=True):
    """Attempts, newest first."""


def shown_webhook(webhook: Webhook) -> ShownWebhook:
    return ShownWebhook(**_members(webhook))


def made_webhook(webhook: Webhook, secret: bytes) -> MadeWebhook:
    return MadeWebhook(**_members(webhook), secret=shown_secret(secret))


def open_webhook(webhook: Webhook, waiting: Waiting, live: Sequence[Secret]) -> OpenWebhook:
    return OpenWebhook(
        **_members(webhook),
        backlog=Backlog(
            events=waiting.events,
            accounts=waiting.accounts,
            failing_accounts=waiting.failing,
            oldest_at=waiting.oldest_at,
            next_attempt_at=None if webhook.paused_at else waiting.next_at,
        ),
        secrets=[
            WebhookSecret(created_at=secret.created_at, ends_at=secret.ends_at) for secret in live
        ],
    )


def shown_delivery(delivery: Delivery) -> ShownDelivery:
    account_id = delivery.account_id
    return ShownDelivery(
        id=str(delivery.delivery_id),
        event_id=delivery.event_id,
        type=delivery.type,
        account_id=account_id and shown(Kind.ACCOUNT, account_id),
        cursor=delivery.cursor,
        attempt=delivery.attempt,
        attempted_at=delivery.attempted_at,
        result=delivery.result,
        status=delivery.status,
        milliseconds=delivery.milliseconds,
        detail=delivery.detail,
        response_head=delivery.response_head,
        response_body=delivery.response_body,
    )


def _members(webhook: Webhook) -> dict[str, Any]:
    accounts = webhook.account_ids
    state = "paused" if webhook.paused_at else "failing" if webhook.failing_since else "active"
    return {
        "id": shown(Kind.WEBHOOK, webhook.webhook_id),
        "url": webhook.url,
        "description": webhook.description,
        "types": webhook.types,
        "account_ids": None if accounts is None else [shown(Kind.ACCOUNT, one) for one in accounts],
        "query": webhook.query and webhook.query.text,
        "acts_for": shown(Kind.USER, webhook.acts_for),
        "state": state,
        "paused_because": webhook.paused_because,
        "paused_at": webhook.paused_at,
        "failing_since": webhook.failing_since,
        "last_success_at": webhook.succeeded_at,
        "last_failure_at": webhook.failed_at,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    }

"""What an endpoint is told, how it knows that it is us, and when it is tried again.

The envelope is a CloudEvent (CloudEvents 1.0, structured mode); the headers are those of the
Standard Webhooks specification, so that libraries for either are all that a receiver needs.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import public_id
from shared.contracts.ids import Kind, shown

SECRET_BYTES = 32
CONTENT_TYPE = "application/cloudevents+json"
TEST_TYPE = "webhook.test"

_PREFIX = "whsec_"
_SLOWEST = timedelta(hours=1)
_LATEST = timedelta(hours=24)  # of what a server may ask us to wait


class Result(StrEnum):
    """What came of telling an endpoint."""

    OK = "ok"  # any 2xx, and all of the answer
    REFUSED = "refused"  # any other answer; redirects are not followed
    UNREACHABLE = "unreachable"  # no connection: name, address, network, TLS
    TIMED_OUT = "timed_out"
    BROKEN = "broken"  # the connection ended before the answer did
    SKIPPED = "skipped"  # somebody gave it up


class PausedBecause(StrEnum):
    """Why a webhook is told nothing for now."""

    ASKED = "asked"
    FAILING = "failing"  # for days
    GONE = "gone"  # it said 410
    NOBODY = "nobody"  # whom it acts for is no member any more


class CloudEvent(Struct, frozen=True, kw_only=True):
    """One event as an endpoint is told it (CloudEvents 1.0 §3.1; JSON format §3)."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    time: datetime
    datacontenttype: str = "application/json"
    tenantid: str
    accountid: str | None
    cursor: str | None  # its place in the log; a test has none
    data: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class Envelope(Struct, frozen=True, kw_only=True):
    """What is sent, byte for byte the same at each attempt."""

    event_id: str
    type: str
    body: bytes


def envelope(
    *,
    tenant_id: UUID,
    account_id: UUID | None,
    event_id: UUID,
    n: int,
    type: str,
    occurred_at: datetime,
    place: LogCursor | None,
    data: bytes,
) -> Envelope:
    """One event of the log, or a test, as it is sent."""
    known_as = public_id(event_id, n)
    tenant = shown(Kind.TENANT, tenant_id)
    account = account_id and shown(Kind.ACCOUNT, account_id)
    event = CloudEvent(
        id=known_as,
        source=f"/tenants/{tenant}" + (f"/accounts/{account}" if account else ""),
        type=type,
        time=occurred_at,
        tenantid=tenant,
        accountid=account,
        cursor=place and place.shown(),
        data=msgspec.Raw(data),
    )
    return Envelope(event_id=known_as, type=type, body=msgspec.json.encode(event))


def shown_secret(secret: bytes) -> str:
    """A secret as it is handed over: `whsec_` and base64."""
    return _PREFIX + base64.b64encode(secret).decode()


def signed_headers(
    told: Envelope, secrets: Iterable[bytes], *, at: datetime
) -> list[tuple[str, str]]:
    """The headers by which a receiver knows who speaks, and that it is said now.

    One signature for each live secret (Standard Webhooks, "Signature scheme"): HMAC-SHA256 of
    id, time and body.
    """
    timestamp = str(int(at.timestamp()))
    content = f"{told.event_id}.{timestamp}.".encode() + told.body
    signatures = " ".join(
        "v1," + base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
        for secret in secrets
    )
    return [
        ("webhook-id", told.event_id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures),
    ]


def pause_before(attempt: int, *, first: timedelta, random: float) -> timedelta:
    """How long to wait after the n-th failure: twice as long each time, up to an hour.

    Spread by half either way, so that what failed together does not come again together.
    """
    doubled = first * 2 ** min(attempt - 1, 20)
    return min(doubled, _SLOWEST) * (0.5 + random)


def asked_pause(retry_after: str | None, now: datetime) -> timedelta:
    """How long a server asks us to stay away (RFC 9110 §10.2.3), within reason."""
    if not retry_after:
        return timedelta()
    if retry_after.isascii() and retry_after.isdigit():
        return min(timedelta(seconds=int(retry_after[:9])), _LATEST)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return timedelta()
    if until.tzinfo is None:
        return timedelta()
    return min(max(until - now, timedelta()), _LATEST)

"""What endpoints are told, for the OpenAPI document: an operation of theirs for each type."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    PathItem,
    Reference,
    RequestBody,
    Schema,
)

from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import EventType
from services.api.domain.webhooks import CONTENT_TYPE, CloudEvent, envelope
from services.api.http.event_types import example_of

_COMPONENT = "#/components/schemas/{name}"
_EVENT = UUID("01936d31-0a11-7d08-b3f5-90c2e7a4861d")
_ACCOUNT = UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13")
_TENANT = UUID("01936d2c-8b40-7d93-9c5e-e4a2f7b1d069")


def forms() -> tuple[type[msgspec.Struct], ...]:
    """What has a schema: the envelope, and the data of each type."""
    return (CloudEvent, *dict.fromkeys(type(example_of(kind)) for kind in EventType))


def describe(document: OpenAPI) -> None:
    """Say what is told, type by type."""
    document.webhooks = {kind.value: PathItem(post=_operation(kind)) for kind in EventType}


def _operation(kind: EventType) -> Operation:
    data = example_of(kind)
    of_account = not kind.value.startswith("webhook.")
    told = envelope(
        tenant_id=_TENANT,
        account_id=_ACCOUNT if of_account else None,
        event_id=_EVENT,
        n=0,
        type=kind.value,
        occurred_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
        place=LogCursor(1, 42),
        data=msgspec.json.encode(data),
    )
    return Operation(
        operation_id=f"told_{kind.value.replace('.', '_')}",
        summary=kind.value,
        description=(type(data).__doc__ or "").strip(),
        tags=["told"],
        request_body=RequestBody(
            required=True,
            content={
                CONTENT_TYPE: OpenAPIMediaType(
                    schema=Schema(
                        all_of=[
                            Reference(ref=_COMPONENT.format(name=CloudEvent.__name__)),
                            Schema(
                                properties={
                                    "type": Schema(const=kind.value),
                                    "data": Reference(
                                        ref=_COMPONENT.format(name=type(data).__name__)
                                    ),
                                }
                            ),
                        ]
                    ),
                    example=_plain(told.body),
                )
            },
        ),
        responses={"2XX": OpenAPIResponse(description="It was taken; tell the next.")},
    )


def _plain(body: bytes) -> Any:
    """Raw, since the framework would leave out each null."""
    return msgspec.Raw(body)

"""What the framework cannot know of the API, said in its OpenAPI document."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar.openapi.spec import (
    OpenAPI,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    RequestBody,
    Schema,
)

from services.api.domain.logbook import public_id
from services.api.http.events import Event, Events
from shared.contracts.ids import Kind, shown

_IMAGES = "/api/v1/proxy/image"
_PARTS = "/api/v1/proxy/part"
_EVENTS = "/api/v1/events"
_UPLOADS = "/api/v1/uploads"
_MESSAGE_FILES = "/api/v1/messages/{message_id}/"
#: What a download is answered as, where its type is always the same.
_FILES = {
    _PARTS: "*/*",
    f"{_MESSAGE_FILES}attachments/{{number}}": "*/*",
    f"{_MESSAGE_FILES}attachments.zip": "application/zip",
    f"{_MESSAGE_FILES}raw": "message/rfc822",
    f"{_UPLOADS}/{{upload_id}}/content": "*/*",
}
_RANGED = frozenset({_PARTS, f"{_MESSAGE_FILES}attachments/{{number}}", f"{_MESSAGE_FILES}raw"})
FORM = "multipart/form-data"
_COMPONENT = "#/components/schemas/{name}"

_ACCOUNT = shown(Kind.ACCOUNT, UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13"))
_MESSAGE = shown(Kind.MESSAGE, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b520"))
_PAGE = Events(
    items=[
        Event(
            id=public_id(UUID("01936d31-0a11-7d08-b3f5-90c2e7a4861d"), 0),
            type="message.received",
            cursor="1-42",
            account_id=_ACCOUNT,
            occurred_at=datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
            data=msgspec.Raw(
                msgspec.json.encode(
                    {
                        "id": _MESSAGE,
                        "account_id": _ACCOUNT,
                        "subject": "Lunch on Friday",
                        "unread": True,
                    }
                )
            ),
        )
    ],
    next_cursor="1-42",
    more=False,
)
_STREAM_SCHEMA = Schema(
    type=OpenAPIType.STRING,
    description=(
        "Server-Sent Events (HTML standard §9.2). Of each event, `id` is its cursor, to come again "
        "with as Last-Event-ID; `event` is its type; `data` is one Event as JSON. Comments say "
        "that the stream is alive. An `id` without `data` says how far the log was read where "
        "nothing in it was asked for. The stream ends when the session does or the server stops: "
        "come again with the last id, and nothing is missed."
    ),
)
_STREAM = (
    f": postbus\nretry: 2000\n\n"
    f"id: 1-42\nevent: message.received\n"
    f"data: {msgspec.json.encode(_PAGE.items[0]).decode()}\n\n"
    ": alive\nid: 1-57\n\n"
)


def complete(document: OpenAPI) -> None:
    """The two forms of the event log, and what needs no token."""
    _, schemas = msgspec.json.schema_components((Events,), ref_template=_COMPONENT)
    components: dict[str, Any] = document.components.schemas
    components.update(schemas)
    for path, item in (document.paths or {}).items():
        for operation in (item.get, item.post, item.patch, item.put, item.delete):
            if operation is not None:
                if path == _EVENTS:
                    _with_both_forms(operation)
                if path in _FILES:
                    _with_file(path, operation)
        if path == _UPLOADS and item.post is not None:
            item.post.request_body = _FILE_FORM


_BYTES = Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")
_FILE_FORM = RequestBody(
    description="The file, in the field `file`.",
    content={
        FORM: OpenAPIMediaType(
            schema=Schema(type=OpenAPIType.OBJECT, properties={"file": _BYTES}, required=["file"])
        )
    },
    required=True,
)


def _with_file(path: str, operation: Operation) -> None:
    content = {_FILES[path]: OpenAPIMediaType(schema=_BYTES)}
    answers = {"200": OpenAPIResponse(description="The file.", content=content)}
    if path in _RANGED:
        answers["206"] = OpenAPIResponse(description="The range of it.", content=content)
    operation.responses = {**(operation.responses or {}), **answers}


def _with_both_forms(operation: Operation) -> None:
    operation.responses = {
        **(operation.responses or {}),
        "200": OpenAPIResponse(
            description="A page of the log; with Accept: text/event-stream, the log as it grows.",
            content={
                "application/json": OpenAPIMediaType(
                    schema=Reference(ref=_COMPONENT.format(name=Events.__name__)),
                    example=msgspec.json.decode(msgspec.json.encode(_PAGE)),
                ),
                "text/event-stream": OpenAPIMediaType(schema=_STREAM_SCHEMA, example=_STREAM),
            },
        ),
    }

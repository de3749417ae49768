"""/messages/{id}/attachments, /raw: what a message carries, and the message as it came."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.params import FromPath, HeaderParameter, QueryParameter

from services.api.actions.find_message import find_message
from services.api.actions.read_part import read_part, size_here, size_of_part
from services.api.domain.file_names import attachment_name, each_its_own, safe_name
from services.api.domain.file_types import sent_as
from services.api.domain.image_links import check_part_link
from services.api.domain.parts import Part
from services.api.domain.ranges import NotThere, Span, asks_for_some, span_of
from services.api.domain.refusals import NotFound, RangeNotThere
from services.api.domain.rights import Scope
from services.api.domain.zipping import Zip
from services.api.http.files import Answer, described, headers_of, names, not_modified, streamed
from services.api.http.heads import asks_for_head
from services.api.http.limits import spend_as_client
from services.api.http.scopes import OPEN, needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store.reading import ShownMessage
from shared.bus.bucket import Key
from shared.contracts.attachment import WHOLE_MESSAGE
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Attachment

Range = Annotated[
    str | None,
    HeaderParameter(name="Range", description="One range of bytes. Of several, all is given."),
]
IfRange = Annotated[str | None, HeaderParameter(name="If-Range")]
IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match")]

_SMALL_BYTES = 256 * 1024


@get(
    "/{message_id:str}/attachments/{number:int}",
    summary="Download an attachment",
    security=needs(Scope.MAIL_READ),
)
async def attachment(
    request: Asking,
    message_id: FromPath[str],
    number: FromPath[int],
    inline: Annotated[
        bool,
        QueryParameter(description="To be shown in its place, where its type is safe to show."),
    ] = False,
    range_: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Answer:
    """One of a message's `attachments`, by its `number`.

    It is fetched from the mail server when it is first opened, and kept near for a day. Where the
    server cannot be asked now, 503 says when to come again. An answer may begin before all of a
    large one has come; then its length is not told, and one that breaks off says so by ending the
    connection. HEAD fetches nothing, and tells the length of what has come before.
    """
    message = await _message(request, message_id)
    wanted = _attachment(message, number)
    content_type = sent_as(wanted.content_type)
    headers = headers_of(
        attachment_name(wanted.name, number, content_type),
        content_type,
        inline=inline,
        etag=_etag(message, number),
    )
    return await _answer(
        request,
        request.user.caller,
        message,
        number,
        wanted.size_bytes,
        headers,
        range_,
        if_range,
        if_none_match,
    )


@get(
    "/{message_id:str}/raw",
    summary="Download a message as it came",
    security=needs(Scope.MAIL_READ),
)
async def raw(
    request: Asking,
    message_id: FromPath[str],
    range_: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Answer:
    """All of the message, byte for byte as its mail server has it (`.eml`)."""
    message = await _message(request, message_id)
    headers = headers_of(
        f"{safe_name(message.subject, 'message')}.eml",
        "message/rfc822",
        inline=False,
        etag=_etag(message, WHOLE_MESSAGE),
    )
    return await _answer(
        request,
        request.user.caller,
        message,
        WHOLE_MESSAGE,
        message.size_bytes,
        headers,
        range_,
        if_range,
        if_none_match,
    )


@get(
    "/{message_id:str}/attachments.zip",
    summary="Download all attachments of a message",
    security=needs(Scope.MAIL_READ),
)
async def attachments(request: Asking, message_id: FromPath[str]) -> Answer:
    """Every attachment, pictures in the text included, under a name of its own."""
    message = await _message(request, message_id)
    if not message.details.attachments:
        raise NotFound
    headers = headers_of(
        f"{safe_name(message.subject, 'attachments')}.zip", "application/zip", inline=False
    )
    if asks_for_head(request):
        return described(headers, size=None)
    world, caller = world_of(request), request.user.caller
    for each in message.details.attachments:  # all can be had, or it is said before we begin
        key = _key(message, each.number)
        await size_of_part(world.bus, world.bucket, caller, key, wait=False)
    return await streamed(_zipped(request, message), headers, size=None)


@get(
    "/part",
    security=OPEN,
    summary="An image that is part of a message",
    description="Links to here stand in the page of a message (`GET /messages/{id}/html`), which"
    " has no origin, so that no session comes with what it asks for. They are signed and good for"
    " an hour or two, each for one image.",
)
async def part(
    request: Request[Any, Any, Any],
    part: Annotated[str, QueryParameter(max_length=200, description="Whose, and which.")],
    expires: Annotated[int, QueryParameter(description="When the link ends, in Unix time.")],
    key: Annotated[str, QueryParameter(max_length=100, description="Which key signed it.")],
    signature: Annotated[str, QueryParameter(max_length=100, description="That we wrote it.")],
    range_: Range = None,
    if_range: IfRange = None,
    if_none_match: IfNoneMatch = None,
) -> Answer:
    world = world_of(request)
    now = datetime.now(UTC)
    check_part_link(
        part, expires=expires, key=key, signature=signature, keys=world.issuer.keys, now=now
    )
    await spend_as_client(request, "image")
    named = Part.read(part)
    caller = Caller(tenant_id=named.tenant_id, account_ids=(named.account_id,))
    message = await find_message(world.request_pool, caller, named.message_id)
    wanted = _attachment(message, named.number)
    content_type = sent_as(wanted.content_type)
    headers = headers_of(
        attachment_name(wanted.name, named.number, content_type),
        content_type,
        inline=content_type.startswith("image/"),
        etag=_etag(message, named.number),
    )
    # It is shown in frames that have no origin; without the signature nobody finds it.
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return await _answer(
        request,
        caller,
        message,
        named.number,
        wanted.size_bytes,
        headers,
        range_,
        if_range,
        if_none_match,
    )


def links() -> Router:
    """What is reached by a signed link alone."""
    return Router("/proxy", route_handlers=[part], tags=["messages"])


def router() -> Router:
    return Router("/messages", route_handlers=[attachment, raw, attachments], tags=["attachments"])


async def _message(request: Asking, message_id: str) -> ShownMessage:
    return await find_message(
        world_of(request).request_pool, request.user.caller, id_of(Kind.MESSAGE, message_id)
    )


def _attachment(message: ShownMessage, number: int) -> Attachment:
    for each in message.details.attachments:
        if each.number == number:
            return each
    raise NotFound


def _key(message: ShownMessage, part: int) -> Key:
    return Key(message.account_id, message.message_id, part)


def _etag(message: ShownMessage, part: int) -> str:
    """What a message says never changes, nor what is attached to it."""
    return f'"{shown(Kind.MESSAGE, message.message_id)}.{part}"'


async def _answer(
    request: Request[Any, Any, Any],
    caller: Caller,
    message: ShownMessage,
    part: int,
    expected_bytes: int,
    headers: dict[str, str],
    range_: str | None,
    if_range: str | None,
    if_none_match: str | None,
) -> Answer:
    world, key = world_of(request), _key(message, part)
    if names(if_none_match, headers["ETag"]):
        return not_modified(headers)
    if asks_for_head(request):
        known = await size_here(world.bucket, key)
        return described(headers, size=known and known.size_bytes)
    if if_range is not None and if_range.strip() != headers["ETag"]:
        range_ = None
    # Where a range ends, or counts from the end, is known when all of it has come; and so is how
    # long it is. What is small comes at once.
    wait = asks_for_some(range_) or expected_bytes <= _SMALL_BYTES
    whole = await size_of_part(world.bus, world.bucket, caller, key, wait=wait)
    span: Span | None = None
    if range_ is not None and whole is not None:
        try:
            span = span_of(range_, whole.size_bytes)
        except NotThere:
            raise RangeNotThere(whole.size_bytes) from None
    content = read_part(world.bus, world.bucket, caller, key, whole, span)
    return await streamed(content, headers, size=whole and whole.size_bytes, span=span)


async def _zipped(request: Asking, message: ShownMessage) -> AsyncGenerator[bytes]:
    world, caller = world_of(request), request.user.caller
    carried = message.details.attachments
    file_names = each_its_own(
        attachment_name(each.name, each.number, sent_as(each.content_type)) for each in carried
    )
    archive = Zip()
    for each, name in zip(carried, file_names, strict=True):
        yield archive.begin(name, message.received_at)
        key = _key(message, each.number)
        async for data in read_part(world.bus, world.bucket, caller, key, None, None):
            yield archive.write(data)
        yield archive.end_file()
    yield archive.end()

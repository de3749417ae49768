"""What goes with a message that is written: files, and other messages with their files."""

from collections.abc import AsyncGenerator
from datetime import UTC
from typing import Annotated, Self

from pydantic import Base64Bytes, Field, StringConstraints, model_validator

from services.api.actions.composing import sender_of
from services.api.actions.passing_on import CONTENT_ID, Writer
from services.api.actions.read_message import read_message
from services.api.domain.file_names import safe_name
from services.api.domain.quotations import Quoted
from services.api.domain.refusals import NotFound
from services.api.domain.writing import Attached
from services.api.http.bodies import Body, Line
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store.reading import ShownMessage
from shared.contracts.ids import Kind
from shared.contracts.mail import MessageContent

Id = Annotated[str, StringConstraints(max_length=64)]


class NewAttachment(Body):
    """A file to attach: one that was uploaded, or its bytes."""

    upload_id: Id | None = None
    content: Annotated[
        Base64Bytes | None, Field(description="The bytes in base64; large ones are uploaded.")
    ] = None
    name: Annotated[Line, StringConstraints(max_length=255)] | None = None
    content_type: Annotated[Line, StringConstraints(max_length=255)] = ""
    content_id: Annotated[
        str | None,
        Field(max_length=250, description="By which the HTML shows it: `cid:` and this."),
    ] = None
    inline: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.upload_id is None) == (self.content is None):
            raise ValueError("Give upload_id or content.")
        if self.content_id is not None and not CONTENT_ID.fullmatch(self.content_id):
            raise ValueError("A content_id has neither blanks nor brackets.")
        return self


def no_such(pointer: str) -> NotFound:
    return NotFound(pointers=(pointer,))


async def original(
    request: Asking, message_id: str, pointer: str
) -> tuple[ShownMessage, MessageContent]:
    world = world_of(request)
    wanted = id_of(Kind.MESSAGE, message_id, lambda: no_such(pointer))
    try:
        return await read_message(world.request_pool, world.bus, request.user.caller, wanted)
    except NotFound:
        raise no_such(pointer) from None


def quoted_from(message: ShownMessage, content: MessageContent) -> Quoted:
    return Quoted(
        sender=sender_of(message),
        to=message.details.to,
        cc=message.details.cc,
        subject=message.subject,
        sent_at=(message.sent_at or message.received_at).astimezone(UTC),
        text=content.text,
        html=content.html,
    )


async def attached(request: Asking, given: NewAttachment, number: int) -> Attached:
    if given.upload_id is not None:
        pointer = f"/attachments/{number}/upload_id"
        upload_id = id_of(Kind.UPLOAD, given.upload_id, lambda: no_such(pointer))
    else:
        assert given.content is not None
        name = safe_name(given.name or "", f"attachment-{number + 1}")
        content = _once(given.content)
        upload_id = await writer(request).upload(name, given.content_type, content)
    return Attached(
        upload_id=upload_id,
        name=None if given.name is None else safe_name(given.name, f"attachment-{number + 1}"),
        content_id=given.content_id,
        inline=given.inline,
    )


def writer(request: Asking) -> Writer:
    """Whoever asks, as somebody who writes."""
    world = world_of(request)
    return Writer(
        pool=world.request_pool,
        bus=world.bus,
        bucket=world.bucket,
        caller=request.user.caller,
        person_id=request.user.claims.person_id,
        most_unused_bytes=world.settings.uploads_unused_max_bytes,
    )


async def _once(content: bytes) -> AsyncGenerator[bytes]:
    yield content

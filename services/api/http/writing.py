"""A message as a caller writes it, and what is to be fetched and quoted before it is whole."""

import re
from collections.abc import AsyncGenerator
from datetime import UTC
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AliasChoices,
    Base64Bytes,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.api.actions.composing import original_of, sender_of
from services.api.actions.keep_upload import keep_upload
from services.api.actions.read_message import read_message
from services.api.actions.read_part import read_part
from services.api.domain.file_names import attachment_name, safe_name
from services.api.domain.identities import Identity, default_of, with_address
from services.api.domain.quotations import Quoted, signed, with_forwarded, with_quotation
from services.api.domain.refusals import NotFound, TooLong
from services.api.domain.writing import (
    Attached,
    Written,
    answered,
    forward_subject,
    reply_subject,
)
from services.api.http.bodies import Body, Line
from services.api.http.recipients import (
    MOST_RECIPIENTS,
    People,
    Recipients,
    SomePerson,
    everybody_in,
    groups_in,
    people_in,
)
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts, identities
from services.api.store.reading import ShownMessage
from shared.bus.bucket import Key
from shared.contracts.attachment import WHOLE_MESSAGE
from shared.contracts.content import Priority
from shared.contracts.ids import Kind
from shared.contracts.mail import Attachment, MessageContent
from shared.contracts.submission import LARGEST_MESSAGE_BYTES, HeaderField, may_be_given
from shared.db import tenant_transaction

_MOST_CHARACTERS = 2_000_000
_MOST_ATTACHMENTS = 200
_CONTENT_ID = re.compile(r"[^\s<>\x00-\x1f\x7f-\U0010ffff]{1,250}")

Id = Annotated[str, StringConstraints(max_length=64)]
Text = Annotated[str, StringConstraints(max_length=_MOST_CHARACTERS)]
HeaderName = Annotated[str, StringConstraints(max_length=80)]
HeaderValue = Annotated[Line, StringConstraints(max_length=5000)]


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
        if self.content_id is not None and not _CONTENT_ID.fullmatch(self.content_id):
            raise ValueError("A content_id has neither blanks nor brackets.")
        return self


class Composition(Body):
    """A message that somebody writes."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    identity_id: Annotated[
        Id | None, Field(description="Who writes; unset: the account's default identity.")
    ] = None
    sender: Annotated[
        SomePerson | None,
        Field(
            alias="from",
            validation_alias=AliasChoices("from"),
            description="In place of an identity: one of their addresses, with any name.",
        ),
    ] = None
    to: Recipients = ()
    cc: Recipients = ()
    bcc: Annotated[Recipients, Field(description="Never in the header.")] = ()
    reply_to: People = ()
    subject: Annotated[Line, StringConstraints(max_length=998)] | None = None
    text: Text | None = None
    html: Text | None = None
    attachments: Annotated[tuple[NewAttachment, ...], Field(max_length=_MOST_ATTACHMENTS)] = ()
    in_reply_to: Annotated[Id | None, Field(description="A message that this answers.")] = None
    reply_all: Annotated[
        bool, Field(description="Without recipients: answer everybody, not the sender only.")
    ] = False
    forward_of: Annotated[Id | None, Field(description="A message that this passes on.")] = None
    forward_as: Annotated[
        Literal["inline", "attachment"],
        Field(description="Its words below yours and its files with yours, or all of it attached."),
    ] = "inline"
    quote: Annotated[bool, Field(description="Put what is answered below.")] = False
    headers: Annotated[
        dict[HeaderName, HeaderValue],
        Field(max_length=50, description="`X-…`, `List-…` and some others."),
    ] = Field(default_factory=dict)
    priority: Literal["high", "low"] | None = None
    read_receipt: Annotated[bool, Field(description="Ask to be told that it was read.")] = False
    signature: Annotated[bool, Field(description="End with the identity's signature.")] = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.in_reply_to is not None and self.forward_of is not None:
            raise ValueError("A message answers another one or passes it on: not both.")
        if self.identity_id is not None and self.sender is not None:
            raise ValueError("Give identity_id or from.")
        if len(everybody_in((*self.to, *self.cc, *self.bcc))) > MOST_RECIPIENTS:
            raise ValueError(f"There may be {MOST_RECIPIENTS} recipients at most.")
        for name, value in self.headers.items():
            if not may_be_given(name):
                raise ValueError(f"The header field {name[:80]} cannot be given.")
            if not all(character.isprintable() for character in value):
                raise ValueError(f"The header field {name} has characters that no field has.")
        return self


async def written_of(request: Asking, account_id: UUID, body: Composition) -> Written:
    """The message whole: its files uploaded, what it answers quoted, who gets it known.

    Raises NotFound and what reading the original may raise.
    """
    ours = await _identities(request, account_id)
    identity = _identity(body, ours)
    subject, text, html = body.subject, body.text, body.html
    if body.signature:
        text = "" if text is None and html is None else text
        text, html = signed(text, html, identity.signature_text, identity.signature_html)
    to, cc = people_in(body.to), people_in(body.cc)
    attached = [await _attached(request, one, n) for n, one in enumerate(body.attachments)]
    if body.in_reply_to is not None:
        message, content = await _original(request, body.in_reply_to, "/in_reply_to")
        subject = reply_subject(message.subject) if subject is None else subject
        if not (body.to or body.cc or body.bcc):
            to, cc = answered(original_of(message), ours, everybody=body.reply_all)
        if body.quote:
            text, html = with_quotation(text, html, _quoted(message, content))
            attached += [
                await _passed_on(request, message, one)
                for one in message.details.attachments
                if one.content_id and f"cid:{one.content_id.strip('<> ')}" in (html or "")
            ]
    if body.forward_of is not None:
        message, content = await _original(request, body.forward_of, "/forward_of")
        subject = forward_subject(message.subject) if subject is None else subject
        if body.forward_as == "attachment":
            attached.append(await _whole(request, message))
        else:
            text, html = with_forwarded(text, html, _quoted(message, content))
            attached += [
                await _passed_on(request, message, one) for one in message.details.attachments
            ]
    return Written(
        identity_id=identity.identity_id,
        sender=body.sender,
        to=to,
        cc=cc,
        bcc=everybody_in(body.bcc),
        to_groups=groups_in(body.to),
        cc_groups=groups_in(body.cc),
        reply_to=body.reply_to or identity.reply_to,
        subject=subject or "",
        text=text if text is not None or html is not None else "",
        html=html,
        attached=tuple(attached),
        in_reply_to=message_id_in(body.in_reply_to, "/in_reply_to"),
        forward_of=message_id_in(body.forward_of, "/forward_of"),
        headers=tuple(HeaderField(name=name, value=value) for name, value in body.headers.items()),
        priority=body.priority and Priority(body.priority),
        read_receipt=body.read_receipt,
    )


def message_id_in(given: str | None, pointer: str) -> UUID | None:
    """The message that a field names; raises NotFound for what is no id of one."""
    return None if given is None else id_of(Kind.MESSAGE, given, lambda: _no_such(pointer))


async def _identities(request: Asking, account_id: UUID) -> list[Identity]:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        account = await accounts.by_id(connection, caller.tenant_id, account_id)
        if account is None:
            raise NotFound("There is no such account.", pointers=("/account_id",))
        return await identities.of_account(connection, caller.tenant_id, account)


def _identity(body: Composition, ours: list[Identity]) -> Identity:
    if body.identity_id is not None:
        wanted = id_of(Kind.IDENTITY, body.identity_id, lambda: _no_such("/identity_id"))
        for one in ours:
            if one.identity_id == wanted:
                return one
        raise _no_such("/identity_id")
    named = with_address(ours, body.sender.email) if body.sender is not None else None
    return named or default_of(ours)


def _no_such(pointer: str) -> NotFound:
    return NotFound(pointers=(pointer,))


async def _original(
    request: Asking, message_id: str, pointer: str
) -> tuple[ShownMessage, MessageContent]:
    world = world_of(request)
    wanted = id_of(Kind.MESSAGE, message_id, lambda: _no_such(pointer))
    try:
        return await read_message(world.request_pool, world.bus, request.user.caller, wanted)
    except NotFound:
        raise _no_such(pointer) from None


def _quoted(message: ShownMessage, content: MessageContent) -> Quoted:
    return Quoted(
        sender=sender_of(message),
        to=message.details.to,
        cc=message.details.cc,
        subject=message.subject,
        sent_at=(message.sent_at or message.received_at).astimezone(UTC),
        text=content.text,
        html=content.html,
    )


async def _attached(request: Asking, given: NewAttachment, number: int) -> Attached:
    if given.upload_id is not None:
        pointer = f"/attachments/{number}/upload_id"
        upload_id = id_of(Kind.UPLOAD, given.upload_id, lambda: _no_such(pointer))
    else:
        assert given.content is not None
        name = safe_name(given.name or "", f"attachment-{number + 1}")
        upload_id = await _uploaded(request, name, given.content_type, _once(given.content))
    return Attached(
        upload_id=upload_id,
        name=None if given.name is None else safe_name(given.name, f"attachment-{number + 1}"),
        content_id=given.content_id,
        inline=given.inline,
    )


async def _passed_on(request: Asking, message: ShownMessage, part: Attachment) -> Attached:
    """An attachment of another message, fetched from its server to be sent again."""
    if part.size_bytes > LARGEST_MESSAGE_BYTES:
        raise TooLong(pointers=("/forward_of",))
    name = attachment_name(part.name, part.number, part.content_type)
    upload_id = await _uploaded(
        request, name, part.content_type, _fetched(request, message, part.number)
    )
    content_id = (part.content_id or "").strip("<> ")
    return Attached(
        upload_id=upload_id,
        content_id=content_id if _CONTENT_ID.fullmatch(content_id) else None,
        inline=part.inline,
    )


async def _whole(request: Asking, message: ShownMessage) -> Attached:
    if message.size_bytes > LARGEST_MESSAGE_BYTES:
        raise TooLong(pointers=("/forward_of",))
    name = f"{safe_name(message.subject, 'message')}.eml"
    content = _fetched(request, message, WHOLE_MESSAGE)
    return Attached(upload_id=await _uploaded(request, name, "message/rfc822", content))


def _fetched(request: Asking, message: ShownMessage, part: int) -> AsyncGenerator[bytes]:
    world = world_of(request)
    key = Key(message.account_id, message.message_id, part)
    return read_part(world.bus, world.bucket, request.user.caller, key, None, None)


async def _uploaded(
    request: Asking, name: str, content_type: str, content: AsyncGenerator[bytes]
) -> UUID:
    world = world_of(request)
    kept = await keep_upload(
        world.request_pool,
        request.user.caller,
        request.user.claims.person_id,
        name=name,
        declared_type=content_type,
        content=content,
        most_unused_bytes=world.settings.uploads_unused_max_bytes,
    )
    return kept.upload_id


async def _once(content: bytes) -> AsyncGenerator[bytes]:
    yield content

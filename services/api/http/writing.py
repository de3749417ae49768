"""A message as a caller writes it, and what is to be fetched and quoted before it is whole."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from msgspec import structs
from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from services.api.actions.composing import original_of
from services.api.domain.identities import Identity, default_of, with_address
from services.api.domain.quotations import signed, with_forwarded, with_quotation
from services.api.domain.refusals import NotFound
from services.api.domain.writing import (
    Written,
    answered,
    forward_subject,
    reply_subject,
)
from services.api.http.bodies import Body, Line
from services.api.http.enclosing import (
    Id,
    NewAttachment,
    attached,
    no_such,
    original,
    quoted_from,
    writer,
)
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
from shared.contracts.content import Priority
from shared.contracts.ids import Kind
from shared.contracts.submission import HeaderField, may_be_given
from shared.db import tenant_reading

_MOST_CHARACTERS = 2_000_000
_MOST_ATTACHMENTS = 200
_PRIORITIES = (Priority.HIGH, Priority.LOW)

Text = Annotated[str, StringConstraints(max_length=_MOST_CHARACTERS)]
HeaderName = Annotated[str, StringConstraints(max_length=80)]
HeaderValue = Annotated[Line, StringConstraints(max_length=5000)]


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
    files = [await attached(request, one, n) for n, one in enumerate(body.attachments)]
    if body.in_reply_to is not None:
        message, content = await original(request, body.in_reply_to, "/in_reply_to")
        subject = reply_subject(message.subject) if subject is None else subject
        if not (body.to or body.cc or body.bcc):
            to, cc = answered(original_of(message), ours, everybody=body.reply_all)
        if body.quote:
            text, html = with_quotation(text, html, quoted_from(message, content))
            files += [
                await writer(request).passed_on(message, one)
                for one in message.details.attachments
                if one.content_id and f"cid:{one.content_id.strip('<> ')}" in (html or "")
            ]
    if body.forward_of is not None:
        message, content = await original(request, body.forward_of, "/forward_of")
        subject = forward_subject(message.subject) if subject is None else subject
        if body.forward_as == "attachment":
            files.append(await writer(request).attached_whole(message))
        else:
            text, html = with_forwarded(text, html, quoted_from(message, content))
            files += [
                await writer(request).passed_on(message, one) for one in message.details.attachments
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
        attached=tuple(files),
        in_reply_to=message_id_in(body.in_reply_to, "/in_reply_to"),
        forward_of=message_id_in(body.forward_of, "/forward_of"),
        headers=_headers(body),
        priority=body.priority and Priority(body.priority),
        read_receipt=body.read_receipt,
    )


#: Which of what is written follows from a field of the body.
_FOLLOWS = {
    "identity_id": ("identity_id", "sender"),
    "sender": ("identity_id", "sender"),
    "to": ("to", "to_groups"),
    "cc": ("cc", "cc_groups"),
    "attachments": ("attached",),
    **{
        name: (name,)
        for name in (
            *("bcc", "reply_to", "subject", "text", "html", "in_reply_to", "forward_of"),
            *("headers", "priority", "read_receipt"),
        )
    },
}


async def kept_of(request: Asking, body: Composition, *, everything: bool) -> dict[str, Any]:
    """What a draft is to be like, as it is given: nothing is quoted, fetched or filled in.

    Of a part only what is in the body, else all of it.
    """
    written = Written(
        identity_id=None
        if body.identity_id is None
        else id_of(Kind.IDENTITY, body.identity_id, lambda: no_such("/identity_id")),
        sender=body.sender,
        to=people_in(body.to),
        cc=people_in(body.cc),
        bcc=everybody_in(body.bcc),
        to_groups=groups_in(body.to),
        cc_groups=groups_in(body.cc),
        reply_to=body.reply_to,
        subject=body.subject or "",
        text=body.text,
        html=body.html,
        attached=tuple([await attached(request, one, n) for n, one in enumerate(body.attachments)]),
        in_reply_to=message_id_in(body.in_reply_to, "/in_reply_to"),
        forward_of=message_id_in(body.forward_of, "/forward_of"),
        headers=_headers(body),
        priority=body.priority and Priority(body.priority),
        read_receipt=body.read_receipt,
    )
    fields = _FOLLOWS.keys() if everything else body.model_fields_set & _FOLLOWS.keys()
    return {name: getattr(written, name) for field in fields for name in _FOLLOWS[field]}


def _headers(body: Composition) -> tuple[HeaderField, ...]:
    return tuple(HeaderField(name=name, value=value) for name, value in body.headers.items())


def message_id_in(given: str | None, pointer: str) -> UUID | None:
    """The message that a field names; raises NotFound for what is no id of one."""
    return None if given is None else id_of(Kind.MESSAGE, given, lambda: no_such(pointer))


async def _identities(request: Asking, account_id: UUID) -> list[Identity]:
    world, caller = world_of(request), request.user.caller

    async def find() -> list[Identity] | None:
        async with tenant_reading(world.request_pool, caller) as connection:
            account = await accounts.by_id(connection, caller.tenant_id, account_id)
            if account is None:
                return None
            return await identities.of_account(connection, caller.tenant_id, account)

    who = structs.replace(caller, request_id=None)
    found = await world.sharing.anew(("identities", who, account_id), find)
    if found is None:
        raise NotFound("There is no such account.", pointers=("/account_id",))
    return found


def _identity(body: Composition, ours: list[Identity]) -> Identity:
    if body.identity_id is not None:
        wanted = id_of(Kind.IDENTITY, body.identity_id, lambda: no_such("/identity_id"))
        for one in ours:
            if one.identity_id == wanted:
                return one
        raise no_such("/identity_id")
    named = with_address(ours, body.sender.email) if body.sender is not None else None
    return named or default_of(ours)

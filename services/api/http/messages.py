"""/messages: lists of them, newest first, and one opened."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from litestar import MediaType, Response, Router, get
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from services.api.actions.decide_images import decide_images
from services.api.actions.read_message import read_message
from services.api.domain.cursors import After
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.domain.told import LONGEST_LABEL, label_of
from services.api.http.message_page import Line, in_a_frame, on_paper
from services.api.http.moments import Moment
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.shown_html import Images, RemoteImages, shown_html
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts, mailboxes, reading
from services.api.store.reading import ShownMessage
from shared.contracts.content import (
    AuthenticationResult,
    Autocrypt,
    Inside,
    Invitation,
    MailingList,
    Priority,
    Report,
    Scheme,
)
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Address, Attachment, MessageContent
from shared.db import TenantReader, tenant_reading

Role = Literal["inbox", "drafts", "sent", "archive", "all", "flagged", "junk", "trash"]


class Person(Struct, frozen=True, kw_only=True):
    """Somebody in a header."""

    name: str
    email: str


class Message(Struct, frozen=True, kw_only=True):
    """A message as lists show it: as it is wanted, from the moment somebody wants it so.

    `pending`: the mail server has not confirmed all of it yet; whether it did, the job says.
    """

    id: str
    account_id: str
    mailbox_id: str | None
    thread_id: str | None
    subject: str
    sender: Person | None = msgspec.field(name="from")
    to: list[Person]
    received_at: Moment
    sent_at: Moment | None
    preview: str
    keywords: list[str]
    labels: list[str]
    unread: bool
    size_bytes: int
    has_html: bool
    attachment_count: int
    pending: bool


class ShownAttachment(Struct, frozen=True, kw_only=True):
    """A part of a message that is not its text."""

    number: int
    name: str
    content_type: str
    size_bytes: int
    content_id: str | None
    inline: bool
    contains: list[Inside]


class Header(Struct, frozen=True, kw_only=True):
    """One header field."""

    name: str
    value: str


class OpenMessage(Message, frozen=True, kw_only=True):
    """A message with all its words.

    The HTML is sanitised and stands in one element of its own; show it in a sandboxed frame all the
    same. Remote images are held back (`data-remote-src`) unless `images=allow`, or
    unless `/image-senders` has the sender.
    """

    cc: list[Person]
    bcc: list[Person]
    reply_to: list[Person]
    message_id: str | None
    in_reply_to: list[str]
    references: list[str]
    list_id: str | None
    stamped_at: Moment | None  # when the last server says it took it (Received)
    priority: Priority | None
    signed: Scheme | None
    encrypted: Scheme | None
    invitation: Invitation | None
    report: Report | None
    mailing_list: MailingList | None
    authentication: list[AuthenticationResult]
    autocrypt: Autocrypt | None
    attachments: list[ShownAttachment]
    headers: list[Header]
    text: str
    own_text: str  # without what is quoted, and without the signature
    html: str | None
    remote_images: RemoteImages
    is_cut: bool
    defects: list[str]


class MessagePage(Page[Message], frozen=True, kw_only=True):
    """Some messages, newest first. `next_cursor` is null at the end."""


@get(
    "",
    summary="List messages of a mailbox, a role or an account, newest first",
    security=needs(Scope.MAIL_READ),
)
async def list_some(
    request: Asking,
    mailbox_id: Annotated[str | None, QueryParameter(description="Of this mailbox.")] = None,
    account_id: Annotated[str | None, QueryParameter(description="Of this account.")] = None,
    role: Annotated[
        Role | None,
        QueryParameter(
            description="Of all mailboxes with this role: `inbox` is what came in, wherever it"
            " came. Of one account together with `account_id`. Where the server has labels instead"
            " (Gmail), what has its label (`\\\\Inbox`)."
        ),
    ] = None,
    label: Annotated[
        str | None,
        QueryParameter(
            min_length=1,
            max_length=LONGEST_LABEL,
            description="Only those that have this label, written exactly so; the server's own,"
            " as `\\\\Inbox`, in any case.",
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> MessagePage:
    caller = request.user.caller
    behind = after(cursor)
    if label is not None and "\0" in label:
        raise Invalid([FieldProblem(parameter="label", message="NUL is not allowed.", code="nul")])
    wanted = None if label is None else label_of(label)
    if (mailbox_id is None) == (account_id is None and role is None):
        raise Invalid(
            [
                FieldProblem(
                    parameter="mailbox_id",
                    message="Name a mailbox_id, a role or an account_id.",
                    code="one_of_three",
                )
            ]
        )
    if role is not None and wanted is not None:
        raise Invalid(
            [
                FieldProblem(
                    parameter="label",
                    message="A label is looked for in a mailbox or in an account.",
                    code="not_with_role",
                )
            ]
        )
    pool = world_of(request).request_pool
    reader = TenantReader(pool, caller)
    mailbox = None if mailbox_id is None else id_of(Kind.MAILBOX, mailbox_id)
    account = None if account_id is None else id_of(Kind.ACCOUNT, account_id)
    if mailbox is not None:
        found = await reading.in_mailbox(reader, mailbox, wanted, behind, limit + 1)
    elif role is not None:
        found = await reading.in_role(reader, role, account, behind, limit + 1)
    else:
        assert account is not None
        found = await reading.in_account(reader, account, wanted, behind, limit + 1)
    if not found:  # what something is in is there
        async with tenant_reading(pool, caller) as connection:
            is_there = (
                await mailboxes.exists(connection, caller.tenant_id, mailbox)
                if mailbox is not None
                else account is None
                or await accounts.by_id(connection, caller.tenant_id, account) is not None
            )
        if not is_there:
            raise NotFound
    return MessagePage(
        items=[listed(message) for message in found[:limit]],
        next_cursor=After(found[limit - 1].received_at, found[limit - 1].message_id).shown()
        if len(found) > limit
        else None,
    )


@get("/{message_id:str}", summary="Open a message", security=needs(Scope.MAIL_READ))
async def open_one(
    request: Asking, message_id: FromPath[str], images: Images = None
) -> OpenMessage:
    message, content = await _read(request, message_id)
    html, remote_images = await _html(request, message, content, images)
    return _opened(message, content, html, remote_images)


@get(
    "/{message_id:str}/html",
    summary="A message as a page",
    description="To be shown in a frame: nothing of the message can run, whatever it is, and"
    " nothing is fetched from elsewhere. The page has no origin, and tells the page around it"
    " (`postMessage`) its `height` and each `key` that is pressed in it. A message without HTML"
    " is shown as its text.",
    media_type=MediaType.HTML,
    security=needs(Scope.MAIL_READ),
)
async def open_page(
    request: Asking,
    message_id: FromPath[str],
    images: Images = None,
    paper: Annotated[
        bool, QueryParameter(description="With subject, people and date, and printed at once.")
    ] = False,
) -> Response[str]:
    message, content = await _read(request, message_id)
    html, _ = await _html(request, message, content, images, in_page=True)
    if paper:
        return on_paper(message.subject, _lines(message), html, content.text)
    return in_a_frame(message.subject, html, content.text)


def router() -> Router:
    return Router("/messages", route_handlers=[list_some, open_one, open_page], tags=["messages"])


def listed(message: ShownMessage) -> Message:
    """A message as a list shows it."""
    return Message(
        id=shown(Kind.MESSAGE, message.message_id),
        account_id=shown(Kind.ACCOUNT, message.account_id),
        mailbox_id=message.mailbox_id and shown(Kind.MAILBOX, message.mailbox_id),
        thread_id=message.thread_id and shown(Kind.THREAD, message.thread_id),
        subject=message.subject,
        sender=None
        if message.sender_email is None
        else Person(name=message.sender_name or "", email=message.sender_email),
        to=_people(message.details.to),
        received_at=message.received_at,
        sent_at=message.sent_at,
        preview=message.preview,
        keywords=message.keywords,
        labels=message.labels,
        unread=message.unread,
        size_bytes=message.size_bytes,
        has_html=message.has_html,
        attachment_count=message.attachment_count,
        pending=message.pending,
    )


async def _read(request: Asking, message_id: str) -> tuple[ShownMessage, MessageContent]:
    world = world_of(request)
    return await read_message(
        world.request_pool, world.bus, request.user.caller, id_of(Kind.MESSAGE, message_id)
    )


async def _html(
    request: Asking,
    message: ShownMessage,
    content: MessageContent,
    images: Images,
    *,
    in_page: bool = False,
) -> tuple[str | None, RemoteImages]:
    world = world_of(request)
    allowed_by: str | None = None
    if images is None and content.html:
        allowed_by = await decide_images(
            world.request_pool,
            request.user.caller,
            request.user.claims.person_id,
            message,
            content,
        )
    return await shown_html(
        world,
        message,
        content,
        images_shown=images == "allow" or allowed_by is not None,
        allowed_by=allowed_by,
        of_tenant=request.user.caller.tenant_id if in_page else None,
    )


def _lines(message: ShownMessage) -> list[Line]:
    """What stands above a message on paper."""
    date = message.sent_at or message.received_at
    email = message.sender_email
    senders = [] if email is None else [Address(message.sender_name or "", email)]
    return [
        Line("From", _written(senders)),
        Line("To", _written(message.details.to)),
        Line("Cc", _written(message.details.cc)),
        Line("Date", date.strftime("%a, %d %b %Y %H:%M %z")),
    ]


def _opened(
    message: ShownMessage,
    content: MessageContent,
    html: str | None,
    remote_images: RemoteImages,
) -> OpenMessage:
    details = message.details
    brief = listed(message)
    return OpenMessage(
        **{name: getattr(brief, name) for name in Message.__struct_fields__},
        cc=_people(details.cc),
        bcc=_people(details.bcc),
        reply_to=_people(details.reply_to),
        message_id=message.rfc_message_id,
        in_reply_to=list(details.in_reply_to),
        references=list(details.references),
        list_id=details.list_id,
        stamped_at=content.stamped_at,
        priority=details.priority,
        signed=details.signed,
        encrypted=details.encrypted,
        invitation=details.invitation,
        report=details.report,
        mailing_list=content.mailing_list,
        authentication=list(content.authentication),
        autocrypt=content.autocrypt,
        attachments=[_attachment(part) for part in details.attachments],
        headers=[Header(name=name, value=value) for name, value in content.headers],
        text=content.text,
        own_text=content.own_text,
        html=html,
        remote_images=remote_images,
        is_cut=len(content.text) < content.text_characters
        or len(content.html or "") < content.html_characters,
        defects=[
            *(content.defects or details.defects),
            *(["html_too_tangled"] if content.html and html is None else []),
        ],
    )


def _written(addresses: Iterable[Address]) -> str:
    return ", ".join(f"{one.name} <{one.email}>" if one.name else one.email for one in addresses)


def _people(addresses: tuple[Address, ...]) -> list[Person]:
    return [Person(name=address.name, email=address.email) for address in addresses]


def _attachment(part: Attachment) -> ShownAttachment:
    return ShownAttachment(
        number=part.number,
        name=part.name,
        content_type=part.content_type,
        size_bytes=part.size_bytes,
        content_id=part.content_id,
        inline=part.inline,
        contains=list(part.contains),
    )

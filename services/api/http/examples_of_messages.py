"""What messages look like, and what may be in them, for the reference."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from services.api.http.bodies import Body
from services.api.http.exports import ExportedFile, Exports, NewExport, ShownExport
from services.api.http.image_senders import ImageSender, ImageSenders, NewImageSender
from services.api.http.messages import (
    Header,
    Message,
    MessagePage,
    OpenMessage,
    Person,
    ShownAttachment,
)
from services.api.http.shown_html import RemoteImages, Tracker
from shared.contracts.content import (
    Attendee,
    AuthenticationResult,
    Autocrypt,
    CalendarTime,
    Inside,
    Invitation,
    MailingList,
    Priority,
    RecipientReport,
    Report,
    ReportKind,
    Scheme,
)
from shared.contracts.ids import Kind, shown

_NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_FRIDAY = datetime(2026, 11, 27, 11, 0, tzinfo=UTC)
_IMAGE_SENDER = ImageSender(
    id=shown(Kind.IMAGE_SENDER, UUID("01936d36-3b9c-7e21-8f4a-6c0d1e2b5a74")),
    sender="example.org",
    created_at=_NOON,
)
LISTED = Message(
    id=shown(Kind.MESSAGE, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b520")),
    account_id=shown(Kind.ACCOUNT, UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13")),
    mailbox_id=shown(Kind.MAILBOX, UUID("01936d2f-11d2-7c04-a8e1-5b3f9d7c2e60")),
    thread_id=shown(Kind.THREAD, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b521")),
    subject="Lunch on Friday",
    sender=Person(name="Grace Hopper", email="grace@example.org"),
    to=[Person(name="Ada Lovelace", email="ada@example.org")],
    received_at=_NOON,
    sent_at=_NOON,
    preview="Shall we?",
    keywords=["$important"],
    labels=["\\Inbox", "Family"],
    unread=True,
    size_bytes=2048,
    has_html=False,
    attachment_count=1,
    pending=False,
)
_INVITATION = Invitation(
    method="request",
    uid="lunch@example.org",
    summary="Lunch",
    location="The canteen",
    start=CalendarTime(local="2026-11-27T12:00:00", zone="Europe/Berlin", at=_FRIDAY),
    organiser=Attendee(name="Grace Hopper", email="grace@example.org", role="chair"),
    attendees=(Attendee(name="Ada Lovelace", email="ada@example.org", answer="needs-action"),),
    attachment=1,
)
_MAILING_LIST = MailingList(
    list_id="lunch.example.org",
    name="Lunch",
    unsubscribe=("https://lists.example.org/u/7f3a", "mailto:lunch-leave@example.org"),
    one_click="https://lists.example.org/u/7f3a",
    post=("mailto:lunch@example.org",),
    archive=("https://lists.example.org/lunch/",),
)
_AUTHENTICATION = AuthenticationResult(
    server="mx.example.org",
    method="dkim",
    result="pass",
    properties={"header.d": "example.org"},
)
_AUTOCRYPT = Autocrypt(email="grace@example.org", prefers_encryption=True)

BODIES: dict[type[Body], dict[str, Any]] = {
    NewImageSender: {"sender": "grace@example.org"},
    NewExport: {"account_ids": [LISTED.account_id], "format": "mbox"},
}
_EXPORT_ID = shown(Kind.EXPORT, UUID("01936d36-3b9c-7e21-8f4a-6c0d1e2b5a75"))
_EXPORT = ShownExport(
    id=_EXPORT_ID,
    format="mbox",
    account_ids=[LISTED.account_id],
    created_at=_NOON,
    expires_at=_NOON + timedelta(days=7),
    message_count=1204,
    size_bytes=90_412_000,
    files=[
        ExportedFile(
            number=1,
            account_id=LISTED.account_id,
            message_count=1204,
            size_bytes=90_412_000,
            link=f"/api/v1/exports/{_EXPORT_ID}/files/1?expires=1795780800&key=k1&signature=…",
        )
    ],
)

#: What one message or another has, and few have all of.
PARTS: tuple[Struct, ...] = (
    _INVITATION,
    _MAILING_LIST,
    _AUTHENTICATION,
    _AUTOCRYPT,
    Report(
        kind=ReportKind.DELIVERY,
        about="lunch-1@example.org",
        recipients=(
            RecipientReport(
                recipient="nobody@example.net",
                action="failed",
                status="5.1.1",
                diagnostic="550 5.1.1 No such user here",
            ),
        ),
    ),
    Inside(name="minutes.doc", content_type="application/msword", size_bytes=18_432),
)

ANSWERS: tuple[Struct, ...] = (
    _IMAGE_SENDER,
    ImageSenders(items=[_IMAGE_SENDER]),
    _EXPORT,
    Exports(items=[_EXPORT]),
    MessagePage(items=[LISTED], next_cursor="ks_…"),
    OpenMessage(
        **{name: getattr(LISTED, name) for name in Message.__struct_fields__},
        cc=[],
        bcc=[],
        reply_to=[],
        message_id="lunch-1@example.org",
        in_reply_to=[],
        references=[],
        list_id="lunch.example.org",
        stamped_at=_NOON,
        priority=Priority.HIGH,
        signed=Scheme.OPENPGP,
        encrypted=None,
        invitation=_INVITATION,
        report=None,
        mailing_list=_MAILING_LIST,
        authentication=[_AUTHENTICATION],
        autocrypt=_AUTOCRYPT,
        attachments=[
            ShownAttachment(
                number=1,
                name="invite.ics",
                content_type="text/calendar",
                size_bytes=512,
                content_id=None,
                inline=False,
                contains=[],
            )
        ],
        headers=[Header(name="Subject", value="Lunch on Friday")],
        text="Shall we?\n\nOn Thursday, Ada wrote:\n> Lunch?\n",
        own_text="Shall we?",
        html='<div class="m-postbus"><p>Shall we?</p></div>',
        remote_images=RemoteImages(
            shown=False,
            allowed_by=None,
            count=3,
            trackers=[Tracker(host="open.example.net", count=1)],
        ),
        is_cut=False,
        defects=[],
    ),
)

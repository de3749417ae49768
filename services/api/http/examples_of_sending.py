"""What bodies and answers look like that have to do with sending, for the reference."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from services.api.http.bodies import Body
from services.api.http.changing_submissions import ChangedSubmission, Retry
from services.api.http.drafts import (
    ChangedDraft,
    DraftPage,
    NewDraft,
    SavedDraft,
    SentDraft,
    ShownDraft,
)
from services.api.http.identities import (
    ChangedIdentity,
    Identities,
    NewIdentity,
    ShownIdentity,
)
from services.api.http.messages import Person
from services.api.http.sending import NewSubmission
from services.api.http.shown_submissions import (
    RecipientFate,
    Submission,
    SubmissionPage,
)
from services.api.http.submissions import Preview, ShownCheck
from shared.contracts.ids import Kind, shown
from shared.contracts.submission import Fate, SubmissionState

_NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_ACCOUNT = shown(Kind.ACCOUNT, UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13"))
_SUBMISSION = shown(Kind.SUBMISSION, UUID("01936d33-4e90-7a15-b27d-c8f1e06a9345"))
_MESSAGE = shown(Kind.MESSAGE, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b520"))
_DRAFT = shown(Kind.DRAFT, UUID("01936d37-2a14-7c68-8b3f-4e9d1c6a5f72"))
_IDENTITY = shown(Kind.IDENTITY, UUID("01936d36-1f02-7b55-9d8c-3c7e5a9f2d61"))
_ADA = Person(name="Ada Lovelace", email="ada@example.org")
_GRACE = Person(name="Grace Hopper", email="grace@example.org")

BODIES: dict[type[Body], dict[str, Any]] = {
    NewSubmission: {
        "account_id": _ACCOUNT,
        "to": [
            "Grace Hopper <grace@example.org>",
            {"group": "Kitchen", "members": ["bob@example.org"]},
        ],
        "subject": "Lunch on Friday",
        "html": "<p>Shall we?</p>",
        "attachments": [{"name": "menu.txt", "content": "U291cAo="}],
        "undo_seconds": 10,
    },
    ChangedSubmission: {"send_at": "2026-11-27T09:00:00+01:00"},
    Retry: {"may_arrive_twice": False},
    NewDraft: {
        "account_id": _ACCOUNT,
        "in_reply_to": _MESSAGE,
        "reply_all": True,
        "quote": True,
        "text": "Gladly!",
    },
    SavedDraft: {"to": ["grace@example.org"], "subject": "Lunch on Friday", "text": "Shall we?"},
    ChangedDraft: {"text": "Shall we? I would be"},
    SentDraft: {"undo_seconds": 10},
    NewIdentity: {
        "name": "Ada at work",
        "email": "ada@work.example",
        "signature_text": "Ada Lovelace\nAnalytical Engines",
    },
    ChangedIdentity: {"is_default": True},
}

_SUBMISSION_SHOWN = Submission(
    id=_SUBMISSION,
    account_id=_ACCOUNT,
    state=SubmissionState.ACCEPTED,
    sender=_ADA,
    subject="Lunch on Friday",
    to=[_GRACE],
    cc=[],
    bcc=[],
    to_groups=[],
    cc_groups=[],
    in_reply_to=None,
    forward_of=None,
    message_id="01936d33.4e90@example.org",
    recipients=[
        RecipientFate(
            email="grace@example.org",
            fate=Fate.ACCEPTED,
            code=250,
            enhanced_code="2.0.0",
            server_said="Ok: queued as 4F2A",
        )
    ],
    attempts=1,
    next_attempt_at=None,
    expires_at=None,
    reason=None,
    server_said=None,
    filed=True,
    size_bytes=1840,
    created_at=_NOON,
    updated_at=_NOON,
)
_IDENTITY_SHOWN = ShownIdentity(
    id=_IDENTITY,
    account_id=_ACCOUNT,
    name="Ada at work",
    email="ada@work.example",
    reply_to=[],
    signature_text="Ada Lovelace\nAnalytical Engines",
    signature_html="",
    is_default=False,
    is_own=False,
)
_DRAFT_SHOWN = ShownDraft(
    id=_DRAFT,
    account_id=_ACCOUNT,
    version=3,
    identity_id=_IDENTITY,
    sender=None,
    to=[_GRACE],
    cc=[],
    bcc=[],
    to_groups=[],
    cc_groups=[],
    reply_to=[],
    subject="Lunch on Friday",
    text="Shall we?",
    html=None,
    attachments=[],
    in_reply_to=None,
    forward_of=None,
    headers={},
    priority=None,
    read_receipt=False,
    created_at=_NOON,
    updated_at=_NOON,
)

ANSWERS: tuple[Struct, ...] = (
    _SUBMISSION_SHOWN,
    SubmissionPage(items=[_SUBMISSION_SHOWN]),
    Preview(
        sender="ada@example.org",
        recipients=["grace@example.org", "bob@example.org"],
        message_id="01936d33-4e90-7a15-b27d-c8f1e06a9345@example.org",
        size_bytes=1840,
        mime="Date: Fri, 20 Nov 2026 12:00:00 +0000\r\nFrom: …",
        mime_is_cut=False,
        checks=[ShownCheck(name="recipients", passed=True, code=None, detail="")],
    ),
    _DRAFT_SHOWN,
    DraftPage(items=[_DRAFT_SHOWN]),
    _IDENTITY_SHOWN,
    Identities(items=[_IDENTITY_SHOWN]),
)

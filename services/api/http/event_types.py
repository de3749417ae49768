"""What each type of event carries, for the reference: a form, and what one looks like.

Only ids (and `count`) are always there: of a body that would be longer than 8 KiB the rest is
left out.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType, field

from services.api.domain.logbook import EventType
from shared.contracts.ids import Kind, shown

_NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_ACCOUNT = shown(Kind.ACCOUNT, UUID("01936d2e-7c3a-7b1f-9e4d-2a5c8f0b6d13"))
_MAILBOX = shown(Kind.MAILBOX, UUID("01936d2f-11d2-7c04-a8e1-5b3f9d7c2e60"))
_MESSAGE = shown(Kind.MESSAGE, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b520"))
_THREAD = shown(Kind.THREAD, UUID("01936d31-05b8-7f42-8a6c-71e3d9c4b521"))
_JOB = shown(Kind.JOB, UUID("01936d34-2c5d-7e6a-8f1b-3d9a0c7e5b24"))
_SUBMISSION = shown(Kind.SUBMISSION, UUID("01936d33-4e90-7a15-b27d-c8f1e06a9345"))
_DRAFT = shown(Kind.DRAFT, UUID("01936d33-1f08-7c62-9b4e-a7d2e5c81f06"))
_WEBHOOK = shown(Kind.WEBHOOK, UUID("01936d36-3b1c-7d45-a8e2-6f0c9d8b7a13"))
_EXPORT = shown(Kind.EXPORT, UUID("01936d38-1f4b-7a92-8c5d-3b7e9f2a6d14"))
_CONNECT_LINK = shown(Kind.CONNECT_LINK, UUID("01936d37-5a2e-7c18-b3f4-9d6e1a0c8b57"))


class EventSender(Struct, frozen=True, kw_only=True):
    """Who wrote a message."""

    name: str
    email: str


class MessageGoneData(Struct, frozen=True, kw_only=True):
    """Which message."""

    id: str
    account_id: str


class MessageStateData(MessageGoneData, frozen=True, kw_only=True):
    """Which message, and where and how it now is."""

    mailbox_id: str | UnsetType | None = UNSET
    thread_id: str | UnsetType | None = UNSET
    keywords: list[str] | UnsetType = UNSET
    labels: list[str] | UnsetType = UNSET
    unread: bool | UnsetType = UNSET


class MessageReceivedData(MessageStateData, frozen=True, kw_only=True):
    """A message that came, as a list would show it."""

    subject: str | UnsetType = UNSET
    sender: EventSender | UnsetType | None = field(default=UNSET, name="from")
    received_at: datetime | UnsetType = UNSET
    preview: str | UnsetType = UNSET
    has_attachments: bool | UnsetType = UNSET


class MessagesAddedData(Struct, frozen=True, kw_only=True):
    """How many messages, and which."""

    account_id: str
    count: int
    message_ids: list[str] | UnsetType = UNSET


class JobProgressData(Struct, frozen=True, kw_only=True):
    """How far a job came."""

    id: str
    account_id: str
    state: str | UnsetType = UNSET
    total: int | UnsetType = UNSET
    done: int | UnsetType = UNSET
    failed: int | UnsetType = UNSET


class JobEndedData(JobProgressData, frozen=True, kw_only=True):
    """What became of a job."""

    reason: str | UnsetType | None = UNSET
    server_said: str | UnsetType | None = UNSET


class AccountGoneData(Struct, frozen=True, kw_only=True):
    """Which account."""

    id: str


class AccountData(AccountGoneData, frozen=True, kw_only=True):
    """An account as somebody wants it."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    state: str | UnsetType = UNSET


class AccountStateData(AccountGoneData, frozen=True, kw_only=True):
    """How an account is doing."""

    state: str | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET
    server_said: str | UnsetType | None = UNSET


class AccountSendingData(AccountStateData, frozen=True, kw_only=True):
    """Whether an account can send."""

    retry_at: datetime | UnsetType | None = UNSET


class ConnectLinkData(Struct, frozen=True, kw_only=True):
    """Which link, and the account that came of it, or that was connected again."""

    id: str
    account_id: str
    repaired: bool | UnsetType = UNSET


class AccountProgressData(AccountGoneData, frozen=True, kw_only=True):
    """How far a first copy came."""

    done: int | UnsetType = UNSET
    total: int | UnsetType = UNSET
    mailbox: str | UnsetType | None = UNSET
    ends_at: datetime | UnsetType | None = UNSET


class MailboxData(Struct, frozen=True, kw_only=True):
    """A mailbox as it is, or was."""

    id: str
    account_id: str
    path: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    role: str | UnsetType | None = UNSET
    subscribed: bool | UnsetType = UNSET


class MailboxRenumberedData(Struct, frozen=True, kw_only=True):
    """What a server's new numbers were matched with."""

    id: str
    account_id: str
    matched: int | UnsetType = UNSET
    fetched: int | UnsetType = UNSET
    vanished: int | UnsetType = UNSET


class DraftData(Struct, frozen=True, kw_only=True):
    """A message that is being written."""

    id: str
    account_id: str
    version: int | UnsetType = UNSET
    subject: str | UnsetType = UNSET


class DraftGoneData(Struct, frozen=True, kw_only=True):
    """Which draft, and what it was sent as; null where it was thrown away."""

    id: str
    account_id: str
    submission_id: str | UnsetType | None = UNSET


class SubmissionCreatedData(Struct, frozen=True, kw_only=True):
    """What somebody handed in."""

    id: str
    account_id: str
    state: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET


class SubmissionData(Struct, frozen=True, kw_only=True):
    """What became of a submission so far."""

    id: str
    account_id: str
    state: str | UnsetType = UNSET
    message_id: str | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET
    server_said: str | UnsetType | None = UNSET
    attempts: int | UnsetType = UNSET


class WebhookPausedData(Struct, frozen=True, kw_only=True):
    """Which webhook is told nothing for now, and why."""

    id: str
    reason: str | UnsetType = UNSET
    account_ids: list[str] | UnsetType | None = UNSET


class WebhookLostData(Struct, frozen=True, kw_only=True):
    """What a webhook was not told in time."""

    id: str
    count: int | UnsetType = UNSET
    first: str | UnsetType = UNSET
    last: str | UnsetType = UNSET
    account_ids: list[str] | UnsetType = UNSET


class ExportData(Struct, frozen=True, kw_only=True):
    """Which export has an account's mail. Its links, only its person sees."""

    id: str
    account_id: str
    format: str | UnsetType = UNSET
    expires_at: datetime | UnsetType = UNSET


_GONE = MessageGoneData(id=_MESSAGE, account_id=_ACCOUNT)
_STATE = MessageStateData(
    id=_MESSAGE,
    account_id=_ACCOUNT,
    mailbox_id=_MAILBOX,
    thread_id=_THREAD,
    keywords=["\\seen"],
    labels=[],
    unread=False,
)
_RECEIVED = MessageReceivedData(
    id=_MESSAGE,
    account_id=_ACCOUNT,
    mailbox_id=_MAILBOX,
    thread_id=_THREAD,
    keywords=[],
    labels=[],
    unread=True,
    subject="Lunch on Friday",
    sender=EventSender(name="Grace Hopper", email="grace@example.org"),
    received_at=_NOON,
    preview="Shall we?",
    has_attachments=False,
)
_ACCOUNT_DATA = AccountData(
    id=_ACCOUNT, name="Ada Lovelace", email="ada@example.org", state="connecting"
)
_MAILBOX_DATA = MailboxData(
    id=_MAILBOX,
    account_id=_ACCOUNT,
    path="Projects/2026",
    name="2026",
    role=None,
    subscribed=True,
)
_DRAFT_DATA = DraftData(id=_DRAFT, account_id=_ACCOUNT, version=3, subject="Lunch on Friday")


def _job(state: str) -> JobEndedData:
    return JobEndedData(
        id=_JOB,
        account_id=_ACCOUNT,
        state=state,
        total=1,
        done=int(state != "failed"),
        failed=int(state == "failed"),
        reason="server_refused" if state == "failed" else None,
        server_said=None,
    )


def _submission(state: str) -> SubmissionData:
    return SubmissionData(
        id=_SUBMISSION,
        account_id=_ACCOUNT,
        state=state,
        message_id="01936d33.4e90@example.org",
        reason="unreachable" if state == "deferred" else None,
        server_said=None,
        attempts=1,
    )


_OTHERS: Mapping[EventType, Struct] = {
    EventType.MESSAGE_RECEIVED: _RECEIVED,
    EventType.MESSAGES_ADDED: MessagesAddedData(
        account_id=_ACCOUNT, count=1, message_ids=[_MESSAGE]
    ),
    EventType.MESSAGE_UPDATED: _STATE,
    EventType.MESSAGE_MOVED: _STATE,
    EventType.MESSAGE_DELETED: _GONE,
    EventType.ACCOUNT_CREATED: _ACCOUNT_DATA,
    EventType.ACCOUNT_UPDATED: _ACCOUNT_DATA,
    EventType.ACCOUNT_STATE_CHANGED: AccountStateData(
        id=_ACCOUNT, state="live", reason=None, server_said=None
    ),
    EventType.ACCOUNT_SENDING_CHANGED: AccountSendingData(
        id=_ACCOUNT, state="resting", reason="unreachable", server_said=None, retry_at=_NOON
    ),
    EventType.ACCOUNT_PROGRESS: AccountProgressData(
        id=_ACCOUNT, done=1200, total=5400, mailbox="INBOX", ends_at=_NOON
    ),
    EventType.ACCOUNT_DELETED: AccountGoneData(id=_ACCOUNT),
    EventType.MAILBOX_CREATED: _MAILBOX_DATA,
    EventType.MAILBOX_UPDATED: _MAILBOX_DATA,
    EventType.MAILBOX_DELETED: _MAILBOX_DATA,
    EventType.MAILBOX_RENUMBERED: MailboxRenumberedData(
        id=_MAILBOX, account_id=_ACCOUNT, matched=5400, fetched=3, vanished=1
    ),
    EventType.JOB_PROGRESSED: JobProgressData(
        id=_JOB, account_id=_ACCOUNT, state="pending", total=5400, done=500, failed=0
    ),
    EventType.DRAFT_CREATED: _DRAFT_DATA,
    EventType.DRAFT_UPDATED: _DRAFT_DATA,
    EventType.DRAFT_DELETED: DraftGoneData(
        id=_DRAFT, account_id=_ACCOUNT, submission_id=_SUBMISSION
    ),
    EventType.SUBMISSION_CREATED: SubmissionCreatedData(
        id=_SUBMISSION, account_id=_ACCOUNT, state="queued", subject="Lunch on Friday"
    ),
    EventType.CONNECT_LINK_COMPLETED: ConnectLinkData(
        id=_CONNECT_LINK, account_id=_ACCOUNT, repaired=False
    ),
    EventType.EXPORT_READY: ExportData(
        id=_EXPORT, account_id=_ACCOUNT, format="mbox", expires_at=_NOON
    ),
    EventType.WEBHOOK_PAUSED: WebhookPausedData(id=_WEBHOOK, reason="failing", account_ids=None),
    EventType.WEBHOOK_LOST: WebhookLostData(
        id=_WEBHOOK, count=3, first="1-42", last="1-57", account_ids=[_ACCOUNT]
    ),
}


def example_of(kind: EventType) -> Struct:
    """What an event of this type carries."""
    if kind in _OTHERS:
        return _OTHERS[kind]
    thing, _, state = kind.value.partition(".")
    return _job(state) if thing == "job" else _submission(state)

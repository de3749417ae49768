"""Messages on their way out: what is asked of sender, and what became of it.

Told by sender, and by nobody else. The state of a submission follows from the fate of each of
its recipients (design: the hand).
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.envelope import Command, Event, OpenEnum, Problem, Query
from shared.contracts.mail import Address


class SubmissionState(OpenEnum):
    """How far a submission is; the last six are not left by themselves."""

    HELD = "held"  # may still be undone
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"  # tried again later
    ACCEPTED = "accepted"
    PARTIALLY_ACCEPTED = "partially_accepted"
    FAILED = "failed"
    UNCERTAIN = "uncertain"  # handed over, but nobody said whether it was taken
    CANCELED = "canceled"
    OTHER = "other"


class Fate(OpenEnum):
    """What became of the message for one recipient."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    CANCELED = "canceled"
    OTHER = "other"


class SendMessage(Command, frozen=True, kw_only=True):
    """Compose this message and deliver it. The submission's id makes a second copy harmless."""

    channel: ClassVar[str] = "sender.message.send"

    submission_id: UUID
    account_id: UUID
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None


class Recipient(Struct, frozen=True, kw_only=True):
    """One recipient and what became of the message there, in the server's words."""

    email: str
    fate: Fate
    code: int | None = None  # SMTP reply code
    enhanced_code: str | None = None  # RFC 3463, e.g. "5.1.1"
    server_said: str | None = None


class SubmissionChanged(Event, frozen=True, kw_only=True):
    """A submission came to another state; told whole, the newest revision counts."""

    channel: ClassVar[str] = "mail.submission.*"

    account_id: UUID
    submission_id: UUID
    revision: int
    state: SubmissionState
    message_id: str  # the Message-ID header, without angle brackets
    recipients: tuple[Recipient, ...]
    attempts: int = 0
    next_attempt_at: datetime | None = None
    reason: str | None = None  # stable code, e.g. "auth_failed"
    server_said: str | None = None
    filed: bool = False  # a copy is in Sent

    def nats_subject(self) -> str:
        return f"mail.submission.{self.state.value}"


class FileSentCopy(Command, frozen=True, kw_only=True):
    """See that a sent message is in Sent exactly once: look for it first, append it if absent."""

    channel: ClassVar[str] = "sync.message.file"

    account_id: UUID
    submission_id: UUID
    message_id: str  # the Message-ID header, without angle brackets
    size_bytes: int
    sent_at: datetime


class SentCopyFiled(Event, frozen=True, kw_only=True):
    """A sent message is in Sent."""

    channel: ClassVar[str] = "mail.submission_copy.filed"

    account_id: UUID
    submission_id: UUID
    appended: bool  # False: the server had filed it


class ReadSubmissionMime(Query, frozen=True, kw_only=True):
    """The frozen bytes of a submission, a piece at a time."""

    channel: ClassVar[str] = "query.submission.mime"

    submission_id: UUID
    piece: int = 0  # counts from 0


class SubmissionMime(Struct, frozen=True, kw_only=True):
    """One piece of a submission's bytes; Bcc is not in them."""

    data: bytes = b""
    pieces: int = 0
    problem: Problem | None = None

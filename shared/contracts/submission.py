"""Messages on their way out: what is asked of sender, and what became of it.

Told by sender, and by nobody else. The state of a submission follows from the fate of each of
its recipients (design: the hand).
"""

import re
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.content import Priority, Report
from shared.contracts.envelope import Command, Event, OpenEnum, Problem, Query
from shared.contracts.mail import Address

#: A message with all that is attached, as it is handed over. Few servers take more.
LARGEST_MESSAGE_BYTES = 50 * 1024 * 1024


#: What is said in words, in any characters, and what its reader takes apart, in ASCII.
FREE_HEADERS = re.compile(r"x-[a-z0-9-]{1,70}|comments|organization|keywords", re.IGNORECASE)
STRICT_HEADERS = re.compile(
    r"list-(id|help|unsubscribe|unsubscribe-post|subscribe|post|owner|archive)|precedence"
    r"|auto-submitted|feedback-id|sensitivity|content-language|autocrypt|archived-at",
    re.IGNORECASE,
)


def may_be_given(name: str) -> bool:
    """Whether who sends may write this header field himself; the others are ours to write."""
    return bool(FREE_HEADERS.fullmatch(name) or STRICT_HEADERS.fullmatch(name))


class SubmissionState(OpenEnum):
    """How far a submission is; from `accepted` on it is not left but for what is heard of it."""

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
    BOUNCED = "bounced"  # taken, and sent back afterwards for somebody
    COMPLAINED = "complained"  # taken, and somebody called it unwanted
    OTHER = "other"


class InDoubt(OpenEnum):
    """What is done where nobody said whether a server took a message, and no trace is found."""

    HOLD = "hold"  # nothing: a person decides
    RETRY = "retry"  # it is sent once more, and may arrive twice
    OTHER = "other"


class Fate(OpenEnum):
    """What became of the message for one recipient."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    CANCELED = "canceled"
    BOUNCED = "bounced"  # taken, and a report says that it came back
    COMPLAINED = "complained"  # it arrived, and was called unwanted
    OTHER = "other"


class Group(Struct, frozen=True, kw_only=True):
    """People under one name (RFC 5322 §3.4); each of them gets the message."""

    name: str
    members: tuple[Address, ...] = ()


class Enclosure(Struct, frozen=True, kw_only=True):
    """A file that goes with a message. Its bytes are an upload, read by query.upload.read."""

    upload_id: UUID
    name: str
    content_type: str
    size_bytes: int
    content_id: str | None = None  # by which HTML shows it (RFC 2392), without brackets
    inline: bool = False


class HeaderField(Struct, frozen=True, kw_only=True):
    """A header field that the sender asked for."""

    name: str
    value: str


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
    to_groups: tuple[Group, ...] = ()
    cc_groups: tuple[Group, ...] = ()
    reply_to: tuple[Address, ...] = ()
    in_reply_to: tuple[str, ...] = ()  # Message-IDs, without angle brackets
    references: tuple[str, ...] = ()
    headers: tuple[HeaderField, ...] = ()
    priority: Priority | None = None
    read_receipt_to: Address | None = None  # who wants to be told that it was read (RFC 8098)
    enclosures: tuple[Enclosure, ...] = ()
    # The message as it came, in place of all that is composed; the people are its envelope.
    raw: Enclosure | None = None
    undo_until: datetime | None = None  # held so long, and may be undone
    send_at: datetime | None = None
    expires_at: datetime | None = None  # who has not got it by then does not get it
    ignore_suppressions: bool = False  # send also to who is on the tenant's list
    in_doubt: InDoubt = InDoubt.HOLD


class SendMessages(Command, frozen=True, kw_only=True):
    """A page: messages that were handed over at the same moment, each as if it were alone."""

    #: Of words in it; what is longer travels alone.
    MOST_CHARACTERS: ClassVar[int] = 200_000

    channel: ClassVar[str] = "sender.messages.send"

    messages: tuple[SendMessage, ...]


class SubmissionAction(OpenEnum):
    """What can still be done about a submission."""

    CANCEL = "cancel"
    SEND_NOW = "send_now"
    RESCHEDULE = "reschedule"
    RETRY = "retry"  # for those who were refused
    OTHER = "other"


class ChangeSubmission(Command, frozen=True, kw_only=True):
    """Do this about a submission. What comes of it is told with the submission."""

    channel: ClassVar[str] = "sender.submission.change"

    change_id: UUID
    account_id: UUID
    submission_id: UUID
    action: SubmissionAction
    send_at: datetime | None = None  # of RESCHEDULE
    may_arrive_twice: bool = False  # of RETRY: for those of whom nobody knows, too


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
    next_attempt_at: datetime | None = None  # while held, scheduled or deferred
    reason: str | None = None  # stable code, e.g. "auth_failed"
    server_said: str | None = None
    filed: bool = False  # a copy is in Sent
    size_bytes: int = 0  # of the frozen message; 0 before it is composed
    change_id: UUID | None = None  # what was asked for last, and is answered here
    change_refused: str | None = None  # stable code: why that was not done

    def nats_subject(self) -> str:
        return f"mail.submission.{self.state.value}"


class SubmissionsChanged(Event, frozen=True, kw_only=True):
    """A page: what became of several submissions of a tenant at the same moment, each whole."""

    MOST: ClassVar[int] = 100
    MOST_RECIPIENTS: ClassVar[int] = 500  # of all of them, save where one alone has more

    channel: ClassVar[str] = "mail.submissions.changed"

    changes: tuple[SubmissionChanged, ...]


class FileSentCopy(Command, frozen=True, kw_only=True):
    """See that a sent message is in Sent exactly once: look for it first, append it if absent."""

    channel: ClassVar[str] = "sync.message.file"

    account_id: UUID
    submission_id: UUID
    message_id: str  # the Message-ID header, without angle brackets
    size_bytes: int
    sent_at: datetime


class FileSentCopies(Command, frozen=True, kw_only=True):
    """A page: several of these of one tenant, each as if it were alone."""

    channel: ClassVar[str] = "sync.messages.file"

    copies: tuple[FileSentCopy, ...]


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


class PreviewSubmission(Query, frozen=True, kw_only=True):
    """What a message would be, without sending it."""

    channel: ClassVar[str] = "query.submission.preview"
    deadline_seconds: ClassVar[float] = 30.0  # its attachments are gathered, as for sending

    message: SendMessage
    # As a draft: with Bcc in the header, for nobody if need be, and with this Message-ID.
    draft_message_id: str | None = None
    from_byte: int = 0  # of the message, where the answer before ended
    composed_at: datetime | None = None  # its Date, so that each answer is of the same message


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at before sending."""

    name: str  # stable: recipients, header, body, attachments, size, smtputf8, suppressions
    passed: bool
    code: str | None = None  # stable: why it did not pass, or what there is to know
    detail: str = ""


class SubmissionPreview(Struct, frozen=True, kw_only=True):
    """The message as it would leave, and what each check says."""

    MIME_BYTES: ClassVar[int] = 4 * 1024 * 1024  # longer ones are cut here

    checks: tuple[Check, ...] = ()
    message_id: str | None = None
    sender: str = ""  # of the envelope
    recipients: tuple[str, ...] = ()  # of the envelope
    size_bytes: int = 0
    mime: bytes = b""
    problem: Problem | None = None


class ReadUpload(Query, frozen=True, kw_only=True):
    """A file that was uploaded for a message, a piece at a time."""

    channel: ClassVar[str] = "query.upload.read"

    upload_id: UUID
    piece: int = 0  # counts from 0


class UploadPiece(Struct, frozen=True, kw_only=True):
    """One piece of an upload; None behind the last one."""

    data: bytes | None = None
    problem: Problem | None = None


class ReportReceived(Event, frozen=True, kw_only=True):
    """Mail came that reports on a message sent before: it bounced, was read, or was complained of.

    Anybody can write such mail; it counts for no more than what it names can be held against.
    """

    channel: ClassVar[str] = "mail.report.received"

    account_id: UUID  # where it came
    message_id: UUID  # of the report
    received_at: datetime
    report: Report


class SeekMessage(Command, frozen=True, kw_only=True):
    """Look in what is kept of the tenant's mail for traces of a message that may have been sent."""

    channel: ClassVar[str] = "sync.message.seek"

    account_id: UUID
    submission_id: UUID
    message_id: str  # the Message-ID header, without angle brackets


class TraceKind(OpenEnum):
    """What shows that a message was sent."""

    SENT_COPY = "sent_copy"  # the server filed it in Sent
    COPY = "copy"  # it is in a mailbox that we keep
    REPLY = "reply"  # somebody answers it
    REPORT = "report"  # a server or a mail program speaks of it
    OTHER = "other"


class Trace(Struct, frozen=True, kw_only=True):
    """One message that shows it."""

    kind: TraceKind
    account_id: UUID
    message_id: UUID


class MessageSought(Event, frozen=True, kw_only=True):
    """What was found of a message that may have been sent. Nothing found proves nothing."""

    channel: ClassVar[str] = "mail.message.sought"

    account_id: UUID
    submission_id: UUID
    traces: tuple[Trace, ...] = ()


class SuppressionReason(OpenEnum):
    """Why nothing is sent to an address."""

    BOUNCED = "bounced"  # a server said that there is no such address
    COMPLAINED = "complained"  # its owner called a message unwanted
    MANUAL = "manual"  # somebody of the tenant wants it so
    OTHER = "other"


class Suppression(Struct, frozen=True, kw_only=True):
    """An address that a tenant sends nothing to, and why."""

    email: str
    reason: SuppressionReason
    said: str | None = None  # in the words of the report, or of who wants it
    submission_id: UUID | None = None  # which came back
    created_at: datetime


class ChangeSuppression(Command, frozen=True, kw_only=True):
    """Send nothing to this address any more, or send to it again."""

    channel: ClassVar[str] = "sender.suppression.change"

    email: str
    suppressed: bool
    said: str | None = None


class ListSuppressions(Query, frozen=True, kw_only=True):
    """The addresses that the caller's tenant sends nothing to, in their order."""

    channel: ClassVar[str] = "query.suppressions.list"

    email: str | None = None  # this one only
    after: str | None = None
    limit: int = 50


class SuppressionsAnswer(Struct, frozen=True, kw_only=True):
    """Some of them."""

    suppressions: tuple[Suppression, ...] = ()

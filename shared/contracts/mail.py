"""Facts about mailboxes and the messages in them. Told by sync, and by nobody else.

A message has three facets (docs/decisions/0014). *Content* never changes: the first writer wins.
*State* is told whole and replaced only by a newer `revision`. *Existence* ends with `vanished`,
which leaves a tombstone. `revision` counts per account and its order is commit order.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

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
from shared.contracts.envelope import Event, OpenEnum, Problem, Query

PAGE_MESSAGES = 100
PAGE_BYTES = 400 * 1024
PAGE_CHANGES = 500
TEXT_BYTES = 64 * 1024


class Address(Struct, frozen=True):
    """A person or group member in a header (RFC 5322 §3.4)."""

    name: str
    email: str


class Attachment(Struct, frozen=True, kw_only=True):
    """A part of a message that is not its text."""

    number: int  # counts from 1 in the order of the message
    name: str
    content_type: str
    size_bytes: int  # decoded
    content_id: str | None = None
    inline: bool = False
    contains: tuple[Inside, ...] = ()  # what is in a container


class Content(Struct, frozen=True, kw_only=True):
    """What a message says. It never changes: whoever has it may ignore it when it comes again."""

    subject: str  # decoded (RFC 2047)
    sender: Address | None
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    message_id: str | None = None  # the Message-ID header, without angle brackets
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sent_at: datetime | None = None  # the Date header
    received_at: datetime  # INTERNALDATE
    size_bytes: int
    preview: str = ""  # at most 200 characters
    text: str = ""  # what search needs, at most 64 KiB; all of it by query.message.content
    text_is_cut: bool = False
    has_html: bool = False
    attachments: tuple[Attachment, ...] = ()
    list_id: str | None = None
    priority: Priority | None = None
    signed: Scheme | None = None
    encrypted: Scheme | None = None
    invitation: Invitation | None = None
    report: Report | None = None
    defects: tuple[str, ...] = ()


class State(Struct, frozen=True, kw_only=True):
    """Where a message is and how it is marked, told whole, never as a difference."""

    mailbox_id: UUID | None  # None while it is in transit between mailboxes
    keywords: frozenset[str]  # as on the wire, e.g. "\\Seen" (RFC 9051 §2.3.2)
    thread_id: UUID
    labels: frozenset[str] = frozenset()  # where the server has labels beside mailboxes (Gmail)


class Arrival(OpenEnum):
    """Whether a message is news to the world or was there before we were."""

    NEW = "new"
    BACKFILL = "backfill"
    OTHER = "other"


class SyncedMessage(Struct, frozen=True, kw_only=True):
    """One message of a page: whole."""

    message_id: UUID
    revision: int
    arrival: Arrival
    content_id: bytes  # equal for copies of one message in several mailboxes
    content: Content
    state: State


class MessagesSynced(Event, frozen=True, kw_only=True):
    """Up to 100 messages of one account came into our copy."""

    channel: ClassVar[str] = "mail.messages.synced"

    account_id: UUID
    messages: tuple[SyncedMessage, ...]


class MessagesFilled(MessagesSynced, frozen=True, kw_only=True):
    """The same, of a first sync: it travels behind everything live."""

    channel: ClassVar[str] = "fill.messages.synced"


class MessagesRetold(Event, frozen=True, kw_only=True):
    """A numbered page of what was told before, for one listener; never news."""

    channel: ClassVar[str] = "fill.messages.retold"

    account_id: UUID
    listener: str
    generation: UUID
    page: int  # counts from 0
    as_of_revision: int
    messages: tuple[SyncedMessage, ...]


class ChangeReason(OpenEnum):
    """Why a message's state is told again."""

    KEYWORDS = "keywords"
    MOVED = "moved"
    THREADED = "threaded"
    OTHER = "other"


class ChangedMessage(Struct, frozen=True, kw_only=True):
    """The state of one message, whole."""

    message_id: UUID
    revision: int
    state: State
    reasons: frozenset[ChangeReason]


class MessagesChanged(Event, frozen=True, kw_only=True):
    """Up to 500 messages of one account are marked or placed differently."""

    channel: ClassVar[str] = "mail.messages.changed"

    account_id: UUID
    messages: tuple[ChangedMessage, ...]


class VanishedMessage(Struct, frozen=True, kw_only=True):
    """A message that is no longer on the server. Its id is never used again."""

    message_id: UUID
    revision: int


class MessagesVanished(Event, frozen=True, kw_only=True):
    """Up to 500 messages of one account are gone from the server."""

    channel: ClassVar[str] = "mail.messages.vanished"

    account_id: UUID
    messages: tuple[VanishedMessage, ...]


class MailboxRole(OpenEnum):
    """What a mailbox is for (RFC 6154)."""

    INBOX = "inbox"
    ALL = "all"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    FLAGGED = "flagged"
    JUNK = "junk"
    SENT = "sent"
    TRASH = "trash"
    OTHER = "other"


class SyncedMailbox(Struct, frozen=True, kw_only=True):
    """A mailbox as it now is, told whole.

    One that is `gone` may be there again under its id when its server has it again within a day.
    """

    mailbox_id: UUID
    revision: int
    path: str  # decoded, with the server's delimiter
    name: str  # the last level of the path
    delimiter: str | None
    role: MailboxRole | None
    selectable: bool = True
    gone: bool = False
    subscribed: bool = True  # the account's owner wants to see it (RFC 9051 §6.3.7)


class MailboxesSynced(Event, frozen=True, kw_only=True):
    """Mailboxes of one account appeared, changed or went."""

    channel: ClassVar[str] = "mail.mailboxes.synced"

    account_id: UUID
    mailboxes: tuple[SyncedMailbox, ...]
    retold: bool = False  # because a listener asked; that they are there is no news


class MailboxRenumbered(Event, frozen=True, kw_only=True):
    """A server numbered a mailbox anew (RFC 9051 §2.3.1.1); every message keeps its id."""

    channel: ClassVar[str] = "mail.mailbox.renumbered"

    account_id: UUID
    mailbox_id: UUID
    revision: int
    matched: int  # messages that were known again
    fetched: int  # messages that were not, and were fetched
    vanished: int  # messages that are no longer in it; they may turn up elsewhere


class ReadContent(Query, frozen=True, kw_only=True):
    """All a message says: its text, its HTML as it came, and its headers.

    Texts are handed over in slices of at most SLICE_CHARACTERS; ask on from where the last
    slice ended until both are whole.
    """

    channel: ClassVar[str] = "query.message.content"
    SLICE_CHARACTERS: ClassVar[int] = 500_000

    message_id: UUID
    text_from: int = 0
    html_from: int = 0


class MessageContent(Struct, frozen=True, kw_only=True):
    """A message's words. HTML is hostile: whoever shows it sanitises it first."""

    text: str
    html: str | None
    headers: tuple[tuple[str, str], ...]  # only with the first slice
    text_characters: int  # of the whole
    html_characters: int
    defects: tuple[str, ...] = ()
    # What follows comes with the first slice only.
    own_text: str = ""  # without what is quoted and the signature; of long texts the beginning
    stamped_at: datetime | None = None  # when the last server says it took it (Received)
    mailing_list: MailingList | None = None
    authentication: tuple[AuthenticationResult, ...] = ()
    autocrypt: Autocrypt | None = None


class ContentAnswer(Struct, frozen=True, kw_only=True):
    """Either the content or why there is none."""

    content: MessageContent | None = None
    problem: Problem | None = None

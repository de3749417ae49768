"""What a message is beside its words: an invitation, a report, one of a list, signed, urgent.

Each is what the message says of itself, and no more to be believed than the message.
"""

from datetime import datetime

from msgspec import Struct

from shared.contracts.envelope import OpenEnum


class Priority(OpenEnum):
    """How urgent the sender thinks it is; a usual message has none."""

    HIGH = "high"
    LOW = "low"
    OTHER = "other"


class Scheme(OpenEnum):
    """How a message is signed or encrypted. Whether rightly nobody looked."""

    OPENPGP = "openpgp"  # RFC 3156, RFC 9580
    SMIME = "smime"  # RFC 8551
    OTHER = "other"


class CalendarTime(Struct, frozen=True, kw_only=True):
    """When something is, as a calendar says it (RFC 5545 §3.3.5)."""

    local: str  # what clocks show there: `2026-03-01T10:00:00`, or `2026-03-01` for the whole day
    zone: str | None = None  # as written, often a name of IANA; None wherever one is
    at: datetime | None = None  # the moment, where it can be told


class Attendee(Struct, frozen=True, kw_only=True):
    """Somebody who is invited (RFC 5545 §3.8.4.1)."""

    name: str
    email: str
    answer: str | None = None  # PARTSTAT in lower case: `accepted`, `declined`, `needs-action` …
    role: str | None = None  # ROLE in lower case: `chair`, `opt-participant` …


class Invitation(Struct, frozen=True, kw_only=True):
    """The first event of a calendar in a message (RFC 5545, RFC 5546)."""

    method: str | None = None  # `request`, `reply`, `cancel` …; None when nothing is asked
    uid: str = ""
    sequence: int = 0  # a higher one replaces a lower one
    summary: str = ""
    location: str = ""
    start: CalendarTime | None = None
    end: CalendarTime | None = None
    rule: str | None = None  # how it repeats: RRULE as written
    cancelled: bool = False
    organiser: Attendee | None = None
    attendees: tuple[Attendee, ...] = ()
    attachment: int | None = None  # the attachment that it was read from


class ReportKind(OpenEnum):
    """What a report is about."""

    DELIVERY = "delivery"  # RFC 3464: what became of a message
    READING = "reading"  # RFC 8098: that it was shown, deleted …
    ABUSE = "abuse"  # RFC 5965: that somebody complains of it
    OTHER = "other"


class RecipientReport(Struct, frozen=True, kw_only=True):
    """What a report says about one recipient."""

    recipient: str  # as the reporter knows them
    original_recipient: str | None = None  # as they were written to, where that differs
    action: str = ""  # `failed`, `delayed`, `delivered` …; `displayed` …; `abuse`, `fraud` …
    status: str | None = None  # RFC 3463, e.g. `5.1.1`
    diagnostic: str | None = None  # in the words of the server that refused


class Report(Struct, frozen=True, kw_only=True):
    """What a server or a mail program says about a message sent before."""

    kind: ReportKind
    about: str | None = None  # Message-ID of that message, without brackets
    recipients: tuple[RecipientReport, ...] = ()


class Inside(Struct, frozen=True, kw_only=True):
    """A file in a container that is attached, such as winmail.dat."""

    name: str
    content_type: str
    size_bytes: int


class MailingList(Struct, frozen=True, kw_only=True):
    """How to deal with the list that a message came through (RFC 2369, RFC 2919).

    The addresses are the sender's and were checked for nothing but being http, https or mailto.
    """

    list_id: str | None = None
    name: str = ""
    unsubscribe: tuple[str, ...] = ()  # in the sender's order of preference
    one_click: str | None = None  # POST `List-Unsubscribe=One-Click` to it (RFC 8058)
    post: tuple[str, ...] = ()
    archive: tuple[str, ...] = ()
    help: tuple[str, ...] = ()


class AuthenticationResult(Struct, frozen=True, kw_only=True):
    """What the receiving server found out about where a message is from (RFC 8601)."""

    server: str  # who says so; empty where it did not give its name
    method: str  # `spf`, `dkim`, `dmarc` …
    result: str  # `pass`, `fail`, `none` …
    reason: str | None = None
    properties: dict[str, str] = {}  # `header.d`: `example.org`


class Autocrypt(Struct, frozen=True, kw_only=True):
    """The sender offers a key for answers (Autocrypt Level 1)."""

    email: str
    prefers_encryption: bool

"""A message as it is sent: its MIME, frozen, and its envelope.

What comes out is the same bytes for the same input, so that composing a second time (a
command that came twice) changes nothing. Bcc is in the envelope and nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from services.sender.domain.address import EnvelopeAddress, NotAnAddress, address_of
from services.sender.domain.body import File, body
from services.sender.domain.headers import (
    BadHeader,
    addresses,
    as_given,
    grouped,
    header_text,
    message_ids,
    unstructured,
)
from shared.contracts.content import Priority
from shared.contracts.mail import Address
from shared.contracts.submission import (
    FREE_HEADERS,
    LARGEST_MESSAGE_BYTES,
    Group,
    may_be_given,
)

# Header fields that are long are long lists; of a conversation the beginning and the end count.
_MOST_REFERENCES = 40
_PRIORITIES = {
    Priority.HIGH: (("X-Priority", "1"), ("Importance", "high")),
    Priority.LOW: (("X-Priority", "5"), ("Importance", "low")),
}


class Unsendable(ValueError):
    """This message cannot be sent as it is."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What somebody wants to say to whom."""

    submission_id: UUID
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: str
    text: str | None
    html: str | None
    to_groups: tuple[Group, ...] = ()
    cc_groups: tuple[Group, ...] = ()
    reply_to: tuple[Address, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    priority: Priority | None = None
    read_receipt_to: Address | None = None
    files: tuple[File, ...] = ()
    draft_message_id: str | None = None  # it is a draft: with Bcc, and for nobody if need be


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A message that will not change any more, and who gets it."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]  # as on the wire, nobody twice
    mime: bytes
    needs_smtputf8: bool


def message_id_of(submission_id: UUID, sender: Address) -> str:
    """The Message-ID without brackets: fixed by the submission, in the sender's domain."""
    try:
        domain = address_of(sender.email).domain
    except NotAnAddress:
        domain = "invalid"  # RFC 6761 §6.4: of a message that is never sent
    return f"{submission_id}@{domain.lower()}"


def envelope_of(people: Iterable[Address]) -> tuple[EnvelopeAddress, ...]:
    """Everybody who gets the message, once; raises Unsendable."""
    try:
        found = [address_of(person.email) for person in people]
    except NotAnAddress as wrong:
        raise Unsendable("invalid_address", str(wrong)) from wrong
    envelope = {address.key: address for address in found}
    if not envelope:
        raise Unsendable("no_recipients", "the message is for nobody")
    return tuple(envelope.values())


def compose(letter: Letter, *, now: datetime) -> Composed:
    """Freeze a message; raises Unsendable for one that no server could be handed."""
    shown = (*_everybody(letter.to, letter.to_groups), *_everybody(letter.cc, letter.cc_groups))
    is_draft = letter.draft_message_id is not None
    envelope = () if is_draft else envelope_of((*shown, *letter.bcc))
    message_id = letter.draft_message_id or message_id_of(letter.submission_id, letter.sender)
    try:
        sender = address_of(letter.sender.email)
        header = _header(letter, message_id, now, for_hidden_only=not shown and not is_draft)
        whole = header + body(
            letter.text, letter.html, letter.files, boundary=f"=_{letter.submission_id.hex}"
        )
    except NotAnAddress as wrong:
        raise Unsendable("invalid_address", str(wrong)) from wrong
    except BadHeader as wrong:
        raise Unsendable("invalid_header", str(wrong)) from wrong
    if len(whole) > LARGEST_MESSAGE_BYTES:
        raise Unsendable("message_too_large", f"the message has {len(whole)} bytes")
    return Composed(
        message_id=message_id,
        sender=sender.spec,
        recipients=tuple(address.spec for address in envelope),
        mime=whole,
        needs_smtputf8=not header.isascii(),
    )


def _header(letter: Letter, message_id: str, now: datetime, *, for_hidden_only: bool) -> bytes:
    """The header's fields, but for those of MIME."""
    # First, where it is found again when the message is sent at another time than was planned.
    fields = [unstructured("Date", format_datetime(now))]
    fields.append(addresses("From", _people((letter.sender,))))
    if letter.reply_to:
        fields.append(addresses("Reply-To", _people(letter.reply_to)))
    if for_hidden_only:
        # Servers there are that refuse a message without To.
        fields.append(b"To: undisclosed-recipients:;\r\n")
    else:
        fields += _listed("To", letter.to, letter.to_groups)
        fields += _listed("Cc", letter.cc, letter.cc_groups)
        if letter.draft_message_id is not None:
            fields += _listed("Bcc", letter.bcc, ())
    if subject := header_text(letter.subject):
        fields.append(unstructured("Subject", subject))
    fields.append(f"Message-ID: <{message_id}>\r\n".encode("ascii"))
    if letter.in_reply_to:
        fields.append(message_ids("In-Reply-To", letter.in_reply_to))
    if references := letter.references:
        if len(references) > _MOST_REFERENCES:
            references = (references[0], *references[1 - _MOST_REFERENCES :])
        fields.append(message_ids("References", references))
    if letter.read_receipt_to is not None:
        fields.append(addresses("Disposition-Notification-To", _people((letter.read_receipt_to,))))
    for name, value in _PRIORITIES.get(letter.priority, ()) if letter.priority else ():
        fields.append(as_given(name, value))
    for name, value in letter.headers:
        if not may_be_given(name):
            raise BadHeader(f"{name[:80]} is not a field that can be given")
        text = header_text(value)
        own_words = FREE_HEADERS.fullmatch(name) and not text.isascii()
        fields.append(unstructured(name, text) if own_words else as_given(name, text))
    return b"".join(fields)


def _listed(name: str, people: tuple[Address, ...], groups: tuple[Group, ...]) -> list[bytes]:
    if not people and not groups:
        return []
    members = [(header_text(group.name), _people(group.members)) for group in groups]
    return [grouped(name, _people(people), members)]


def _everybody(people: tuple[Address, ...], groups: tuple[Group, ...]) -> tuple[Address, ...]:
    return (*people, *(member for group in groups for member in group.members))


def _people(listed: tuple[Address, ...]) -> list[tuple[str, str]]:
    return [(header_text(person.name), address_of(person.email).spec) for person in listed]

"""A message as it is sent: its MIME, frozen, and its envelope.

What comes out is the same bytes for the same input, so that composing a second time (a
command that came twice) changes nothing. Bcc is in the envelope and nowhere else.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import UUID

from services.sender.domain.address import EnvelopeAddress, NotAnAddress, address_of
from services.sender.domain.headers import BadHeader, addresses, header_text, unstructured
from services.sender.domain.plain_text import text_of_html
from shared.contracts.mail import Address

# Base64 and quoted-printable only: the frozen bytes must suit every server, also one without
# 8BITMIME (RFC 6152), which is not known yet.
_POLICY = SMTP.clone(cte_type="7bit")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_UNSPEAKABLE = re.compile("[\x00\ud800-\udfff]")


class Unsendable(ValueError):
    """This message cannot be sent as it is."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody wants to say to whom."""

    submission_id: UUID
    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    subject: str
    text: str | None
    html: str | None


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


def compose(draft: Draft, *, now: datetime) -> Composed:
    """Freeze a message; raises Unsendable for one that no server could be handed."""
    try:
        sender = address_of(draft.sender.email)
        header_people = {
            "From": _people((draft.sender,)),
            "To": _people(draft.to),
            "Cc": _people(draft.cc),
        }
        hidden = _people(draft.bcc)
        subject = header_text(draft.subject)
    except NotAnAddress as wrong:
        raise Unsendable("invalid_address", str(wrong)) from wrong
    except BadHeader as wrong:
        raise Unsendable("invalid_header", str(wrong)) from wrong
    shown = header_people["To"] + header_people["Cc"]
    envelope = {address.key: address.spec for _, address in shown + hidden}
    if not envelope:
        raise Unsendable("no_recipients", "the message is for nobody")

    message_id = message_id_of(draft.submission_id, draft.sender)
    fields = [unstructured("Date", format_datetime(now))]
    for name, people in header_people.items():
        if people:
            fields.append(addresses(name, [(person, a.spec) for person, a in people]))
    if not shown:
        # A message for hidden recipients only; servers there are that refuse one without To.
        fields.append(b"To: undisclosed-recipients:;\r\n")
    if subject:
        fields.append(unstructured("Subject", subject))
    fields.append(f"Message-ID: <{message_id}>\r\n".encode("ascii"))
    mime = with_crlf(b"".join(fields) + _body(draft))
    return Composed(
        message_id=message_id,
        sender=sender.spec,
        recipients=tuple(envelope.values()),
        mime=mime,
        needs_smtputf8=any(a.needs_smtputf8 for _, a in header_people["From"] + shown),
    )


def with_crlf(mime: bytes) -> bytes:
    """Every line ended by CRLF and by nothing else (RFC 5321 §2.3.8).

    A bare CR or LF is where servers disagree about what ends a message, which is how one
    message is smuggled inside another.
    """
    mime = _LINE_END.sub(b"\r\n", mime)
    return mime if mime.endswith(b"\r\n") else mime + b"\r\n"


def _people(listed: tuple[Address, ...]) -> list[tuple[str, EnvelopeAddress]]:
    return [(header_text(person.name), address_of(person.email)) for person in listed]


def _body(draft: Draft) -> bytes:
    """MIME-Version, Content-… and the body: text, or text and HTML as alternatives."""
    message = EmailMessage(policy=_POLICY)
    html = _speakable(draft.html) if draft.html is not None else None
    if draft.text is not None:
        text = _speakable(draft.text)
    else:
        text = text_of_html(html) if html is not None else ""
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
        message.set_boundary(f"=_{draft.submission_id.hex}")
    return message.as_bytes(policy=_POLICY)


def _speakable(text: str) -> str:
    """Without what no message may hold: NUL (RFC 5322 §4) and halves of characters."""
    return _UNSPEAKABLE.sub("", text)

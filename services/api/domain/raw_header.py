"""To whom and from whom a message is that somebody brings whole (RFC 5322)."""

from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses

from msgspec import Struct

from services.api.domain.addresses import NotAnAddress, address_spec
from shared.contracts.mail import Address

_LONGEST = 998


class RawHeader(Struct, frozen=True, kw_only=True):
    """What of its header decides who may send it, and who gets it."""

    sender: Address
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    subject: str


class NotAMessage(ValueError):
    """This has no header from which to tell who sends it to whom."""


def read_raw_header(head: bytes) -> RawHeader:
    """Read the beginning of a message; raises NotAMessage, NotAnAddress."""
    # The older policy: the newer one's parser of addresses fails on some that mail has.
    message = BytesHeaderParser(policy=compat32).parsebytes(head)

    def people(name: str) -> tuple[Address, ...]:
        fields = [str(field) for field in message.get_all(name, [])]
        found = [(person, email) for person, email in getaddresses(fields) if email]
        return tuple(
            Address(_decoded(person)[:200], address_spec(email)) for person, email in found
        )

    senders = people("From")
    if len(senders) != 1:
        raise NotAMessage("The message must have one From with one address.")
    return RawHeader(
        sender=senders[0],
        to=people("To"),
        cc=people("Cc"),
        bcc=people("Bcc"),
        subject=_decoded(str(message.get("Subject", ""))),
    )


def _decoded(text: str) -> str:
    """Words as people read them; as they stand where nobody can (RFC 2047)."""
    try:
        text = str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_LONGEST]


__all__ = ["NotAMessage", "NotAnAddress", "RawHeader", "read_raw_header"]

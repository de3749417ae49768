"""A message that came whole (RFC 5322), made fit to be handed over."""

import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from services.sender.domain.address import NotAnAddress, address_of
from services.sender.domain.body import with_crlf
from services.sender.domain.compose import Composed, Unsendable, envelope_of, message_id_of
from services.sender.domain.headers import unstructured
from shared.contracts.mail import Address
from shared.contracts.submission import LARGEST_MESSAGE_BYTES

# Bcc is nobody's to read; the others are written by whoever delivers (RFC 5321 §4.4).
_NOT_TO_SEND = {b"bcc", b"resent-bcc", b"return-path"}
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")  # RFC 5322 §2.2, with the blanks of §4.5
_MESSAGE_ID = re.compile(rb"<([^<>\s]{1,900})>")
_LONGEST_LINE = 998  # RFC 5322 §2.1.1


def fit_to_send(
    raw: bytes, *, submission_id: UUID, sender: Address, people: Iterable[Address], now: datetime
) -> Composed:
    """The same message without Bcc, with Date and Message-ID, and with lines as SMTP has them.

    Raises Unsendable for what no server should be handed.
    """
    envelope = envelope_of(people)
    mime = with_crlf(raw)
    if b"\x00" in mime:
        raise Unsendable("invalid_message", "the message contains NUL")
    if len(mime) > LARGEST_MESSAGE_BYTES:
        raise Unsendable("message_too_large", f"the message has {len(mime)} bytes")
    if max(map(len, mime.split(b"\r\n"))) > _LONGEST_LINE:
        raise Unsendable("invalid_message", "a line has more than 998 bytes; encode its part")
    head, _, rest = mime.partition(b"\r\n\r\n")
    fields = _fields(head + b"\r\n")
    for name in (b"from", b"date", b"message-id", b"subject", b"to", b"cc"):
        if sum(known == name for known, _ in fields) > 1:  # RFC 5322 §3.6
            raise Unsendable("invalid_message", f"{name.decode()} is there more than once")
    kept = [field for name, field in fields if name not in _NOT_TO_SEND]
    names = {name for name, _ in fields}
    message_id = message_id_of(submission_id, sender)
    if b"message-id" in names:
        [given] = [field for name, field in fields if name == b"message-id"]
        found = _MESSAGE_ID.search(given)
        if found is None or not found[1].isascii():
            raise Unsendable("invalid_message", "its Message-ID cannot be read")
        message_id = found[1].decode("ascii")
    else:
        kept.append(f"Message-ID: <{message_id}>\r\n".encode("ascii"))
    if b"date" not in names:
        kept.append(unstructured("Date", format_datetime(now)))
    if b"from" not in names:
        raise Unsendable("invalid_message", "it has no From")
    header = b"".join(kept)
    try:
        envelope_sender = address_of(sender.email).spec
    except NotAnAddress as wrong:
        raise Unsendable("invalid_address", str(wrong)) from wrong
    return Composed(
        message_id=message_id,
        sender=envelope_sender,
        recipients=tuple(address.spec for address in envelope),
        mime=header + b"\r\n" + rest,
        needs_smtputf8=not header.isascii(),
    )


def _fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Each field by its name in lower case, as it stands; raises Unsendable for what is none."""
    fields: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\r\n")[:-1]:
        if line.startswith((b" ", b"\t")) and fields:
            name, field = fields[-1]
            fields[-1] = (name, field + line + b"\r\n")
            continue
        found = _FIELD.match(line)
        if found is None:
            raise Unsendable("invalid_message", "its header has a line that is no field")
        fields.append((found[1].lower(), line + b"\r\n"))
    return fields

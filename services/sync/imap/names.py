"""Names of mailboxes as they travel: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 where agreed.

We keep a name in one spelling, that of modified UTF-7, whatever the connection it was heard on.
"""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from enum import Enum, auto

from services.sync.imap.arguments import Part, string, utf8_string

#: A mailbox as the server named it (bytes, from a listing), or a path that people read (str).
#: What was listed is best given back as it came: not every server encodes as the RFC says.
MailboxName = bytes | str


class Spelling(Enum):
    """How names of mailboxes travel on a connection."""

    MODIFIED_UTF7 = auto()
    UTF8 = auto()  # after ENABLE UTF8=ACCEPT (RFC 6855 §3), and in IMAP4rev2


def encode_name(path: str) -> bytes:
    """A path as modified UTF-7."""
    out = bytearray()
    shifted: list[str] = []

    def flush() -> None:
        if shifted:
            utf16 = "".join(shifted).encode("utf-16-be", "surrogatepass")
            out.extend(b"&" + base64.b64encode(utf16).rstrip(b"=").replace(b"/", b",") + b"-")
            shifted.clear()

    for character in path:
        if " " <= character <= "~":
            flush()
            out.extend(b"&-" if character == "&" else character.encode())
        else:
            shifted.append(character)
    flush()
    return bytes(out)


def decode_name(raw: bytes) -> str:
    """A name as people read it; what is not modified UTF-7 is shown as well as it can be.

    Some servers send UTF-8 in spite of the RFC, or a lone `&`; both are read for what they mean.
    """
    if not raw.isascii():
        return _printable(raw.decode("utf-8", "replace"))
    out: list[str] = []
    at = 0
    while (start := raw.find(b"&", at)) >= 0:
        out.append(raw[at:start].decode("ascii"))
        end = raw.find(b"-", start)
        shifted = raw[start + 1 : end] if end > 0 else None
        text = "&" if shifted == b"" else _unshift(shifted) if shifted is not None else None
        if text is None:
            out.append("&")
            at = start + 1
        else:
            out.append(text)
            at = end + 1
    out.append(raw[at:].decode("ascii"))
    return _printable("".join(out))


def _unshift(shifted: bytes) -> str | None:
    padded = shifted.replace(b",", b"/") + b"=" * (-len(shifted) % 4)
    try:
        return base64.b64decode(padded, validate=True).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _printable(name: str) -> str:
    """Without what no database or screen can hold: NUL and lone surrogates."""
    return name.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def wire_name(mailbox: MailboxName) -> bytes:
    """The mailbox as it is named to the server; INBOX in any case is INBOX (RFC 9051 §5.1)."""
    raw = encode_name(mailbox) if isinstance(mailbox, str) else mailbox
    return b"INBOX" if raw.upper() == b"INBOX" else raw


def name_argument(mailbox: MailboxName, spelling: Spelling) -> Part:
    """The mailbox as an argument of a command."""
    raw = wire_name(mailbox)
    if spelling is Spelling.UTF8 and raw.isascii():
        return utf8_string(decode_name(raw))
    return string(raw)


def heard_name(raw: bytes, spelling: Spelling) -> bytes:
    """The mailbox that a server names, in the spelling we keep."""
    if spelling is Spelling.UTF8:
        with suppress(UnicodeDecodeError):  # kept as it came, and given back like that
            raw = encode_name(raw.decode("utf-8"))
    return wire_name(raw)

"""What copies of one message have in common, wherever they lie."""

from __future__ import annotations

import hashlib
import re

_END = re.compile(rb"\r?\n\r?\n")
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:[ \t]*\S", re.IGNORECASE | re.MULTILINE)
#: Fields that some servers write into their copy, other ones in each mailbox.
_OF_THE_COPY = re.compile(
    rb"^(?:status|x-status|x-uid|x-uidl|x-imap|x-imapbase|x-keywords|x-mozilla-\w+|x-gmail-labels"
    rb"|lines|content-length)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?",
    re.IGNORECASE | re.MULTILINE,
)


def content_id(raw: bytes) -> bytes:
    """Equal for copies of one message: a hash of its header, however its lines end.

    The header of a message is as good as unique (Message-ID, Received, Date) and comes without the
    rest. Where it has no Message-ID, the whole message counts.
    """
    end = _END.search(raw)
    header = raw[: end.start()] if end else raw
    if not _MESSAGE_ID.search(header):
        return _hash(raw)
    return _hash(_OF_THE_COPY.sub(b"", header.replace(b"\r\n", b"\n") + b"\n"))


def fingerprint(raw: bytes) -> bytes:
    """Equal for one message before and after a move: header and body, however lines end.

    A draft that is saved again has its old header and another body: it is another message.
    """
    end = _END.search(raw)
    cut = end.start() if end else len(raw)
    header = raw[:cut].replace(b"\r\n", b"\n") + b"\n"
    return _hash(_OF_THE_COPY.sub(b"", header) + raw[cut:])


def _hash(raw: bytes) -> bytes:
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n")
    return hashlib.blake2b(raw, digest_size=16).digest()

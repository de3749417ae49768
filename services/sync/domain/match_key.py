"""By what a message is known again without being read: what its server tells of it in a list."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from services.sync.domain.content_id import end_of_header
from services.sync.domain.mime.fields import MAX_HEADER_BYTES, Header

#: What has to be asked for: FETCH BODY.PEEK[HEADER.FIELDS (…)].
MATCHED_FIELDS = ("MESSAGE-ID", "DATE", "FROM", "SUBJECT")
_NAMES = tuple(name.lower() for name in MATCHED_FIELDS)

_FIELD = re.compile(
    rb"\n(message-id|date|from|subject)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.IGNORECASE
)
_ID = re.compile(rb"<[^<>]+>")
_SPACE = b" \t\r\n\f\v"


def match_key(fields: bytes, size: int, received_at: datetime) -> bytes | None:
    """Equal for a message in its old place and in its new one (a move, a new UIDVALIDITY).

    `fields` is the header, or as much of it as HEADER.FIELDS gives: both make the same key, in
    whatever order and however folded the fields come. `size` is RFC822.SIZE and `received_at`
    INTERNALDATE, which a server keeps when it copies a message (RFC 9051 §6.4.7). None when there
    is nothing by which a person would tell the message from another.
    """
    return _key(_told(fields), size, received_at)


def match_key_of(header: Header, raw: bytes, size: int, received_at: datetime) -> bytes | None:
    """The same for a whole message whose header was read already."""
    if header.end is None:
        return match_key(raw, size, received_at)
    told: dict[bytes, set[bytes]] = {}
    for name in _NAMES:
        if name in header.first:
            values = (header.first[name], *header.again.get(name, ()))
            if said := {each for value in values if (each := _said(name.encode(), value))}:
                told[name.encode()] = said
                if name == "message-id":
                    break
    return _key(told, size, received_at)


def _key(told: Mapping[bytes, set[bytes]], size: int, received_at: datetime) -> bytes | None:
    ids = told.get(b"message-id")
    known: Mapping[bytes, set[bytes]] = {b"message-id": ids} if ids else told
    if not known:
        return None
    hashed = hashlib.blake2b(digest_size=16)
    for name in sorted(known):
        for value in sorted(known[name]):
            hashed.update(b"%b:%b\n" % (name, value))
    hashed.update(b"%d %d" % (size, int(received_at.timestamp())))
    return hashed.digest()


def _told(fields: bytes) -> dict[bytes, set[bytes]]:
    """What these fields say, without the white space that servers fold as they like."""
    told: defaultdict[bytes, set[bytes]] = defaultdict(set)
    if fields.startswith((b"\n", b"\r\n")):
        return told  # a message without a header
    end = min(end_of_header(fields), MAX_HEADER_BYTES)
    for name, value in _FIELD.findall(b"\n" + fields[:end]):
        name = name.lower()
        if said := _said(name, value):
            told[name].add(said)
    return told


def _said(name: bytes, value: bytes) -> bytes:
    said = value.translate(None, _SPACE)
    if name == b"message-id" and (found := _ID.search(said)):
        return found[0]
    return said

"""A header block: where it ends, and the fields in it (RFC 5322 §2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

#: Of a larger header the rest is not looked at. Real ones stay under 100 KiB.
MAX_HEADER_BYTES = 512 * 1024
MAX_FIELDS = 2_000

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
#: The same one after the other; what is no field comes as one without a name.
_FIELDS = re.compile(rb"([!-9;-~]{1,200})[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n|(?s:.+)")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_ENVELOPE = re.compile(rb">?From [^\n]*\n")
_WELL_KNOWN = re.compile(
    rb"(?:[ \t][^\n]*\n)*(?:from|to|cc|subject|date|message-id|received|return-path|reply-to|sender"
    rb"|mime-version|content-[a-z-]+|x-[a-z0-9-]+|references|in-reply-to|list-[a-z]+)[ \t]*:",
    re.IGNORECASE,
)


class Header(NamedTuple):
    """The fields of a header in order, and where the body begins."""

    fields: list[tuple[str, bytes]]  # name as written, value unfolded and stripped
    first: dict[str, bytes]  # the first field of each name in lower case
    body_at: int
    defects: list[str]
    again: Mapping[str, list[bytes]]  # the other ones, by name in lower case
    end: int | None = None  # of the last line, before its line end; None: not of fields alone


NOTHING_READ = Header([], {}, 0, [], {})


def read_header(raw: bytes, start: int, end: int) -> Header:
    """The header that begins at `start`."""
    return _usual(raw, start, end) or _unusual(raw, start, end)


def _usual(raw: bytes, start: int, end: int) -> Header | None:
    """A header of fields and nothing else, and the blank line behind it: nearly every one."""
    limit = min(end, start + MAX_HEADER_BYTES)
    blank = raw.find(b"\n\r\n", start, limit)
    bare = raw.find(b"\n\n", start, limit if blank < 0 else blank + 2)
    last, body_at = (bare + 1, bare + 2) if bare >= 0 else (blank + 1, blank + 3)
    if not last or raw.startswith((b"\n", b"\r\n", b"From ", b">From "), start):
        return None
    fields: list[tuple[str, bytes]] = []
    first: dict[str, bytes] = {}
    again: dict[str, list[bytes]] = {}
    for name, value in _FIELDS.findall(raw, start, last):
        if not name:
            return None
        if b"\n" in value:
            value = _unfolded(value)
        value = value.strip()
        written, lower = _name(name)
        fields.append((written, value))
        if lower in first:
            again.setdefault(lower, []).append(value)
        else:
            first[lower] = value
    if len(fields) >= MAX_FIELDS:
        return None
    end = last - 2 if raw.startswith(b"\r", last - 2) else last - 1
    return Header(fields, first, body_at, [], again, end)


@lru_cache(maxsize=1024)
def _name(raw: bytes) -> tuple[str, str]:
    """A name as written and in lower case: a few dozen are all that is ever met."""
    name = raw.decode("ascii")
    return name, name.lower()


def _unusual(raw: bytes, start: int, end: int) -> Header:
    """A header with whatever in it."""
    fields: list[tuple[str, bytes]] = []
    first: dict[str, bytes] = {}
    again: dict[str, list[bytes]] = {}
    defects: list[str] = []
    match = _FIELD.match
    at = start
    limit = min(end, start + MAX_HEADER_BYTES)
    if envelope := _ENVELOPE.match(raw, at, limit):  # from an mbox (RFC 4155)
        at = envelope.end()
    while at < end:
        if raw[at] in b"\r\n" and raw.startswith((b"\n", b"\r\n"), at):
            return Header(fields, first, min(raw.index(b"\n", at) + 1, end), defects, again)
        if at >= limit or len(fields) >= MAX_FIELDS:
            defects.append("header_too_large")
            return Header(fields, first, _after_blank_line(raw, at, end), defects, again)
        if field := match(raw, at, limit):
            name, value = field[1].decode("ascii"), field[2]
            if b"\n" in value:
                value = _unfolded(value)
            value = value.strip()
            fields.append((name, value))
            if name.lower() in first:
                again.setdefault(name.lower(), []).append(value)
            else:
                first[name.lower()] = value
            at = field.end()
            continue
        # Not a field. With more header behind it it is a stray line; otherwise the body begins here
        # without the blank line, and is not to be lost.
        following = raw.find(b"\n", at, end) + 1
        if following and _WELL_KNOWN.match(raw, following, limit):
            defects.append("stray_line_in_header")
            at = following
            continue
        defects.append("no_blank_line_after_header")
        return Header(fields, first, at, defects, again)
    return Header(fields, first, end, defects, again)


def _unfolded(value: bytes) -> bytes:
    """Without its line ends, behind each of which a blank follows."""
    return value.replace(b"\r\n", b"").replace(b"\n", b"")


def _after_blank_line(raw: bytes, at: int, end: int) -> int:
    blank = _BLANK_LINE.search(raw, at - 1, end)
    return blank.end() if blank else end

"""How what we say is put into a command, so that no word of a user becomes a command of its own.

Every string travels quoted or as a literal (RFC 9051 §4.3); flags and UIDs are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.sync.domain.covered import LAST_UID, Span

_QUOTABLE = re.compile(rb"[\x20-\x7e]{0,1000}")
_QUOTABLE_UTF8 = re.compile(rb"[^\x00-\x1f\x7f]{0,1000}")
_FLAG = re.compile(r"\\?[^\x00-\x20\x7f-\U0010ffff(){%*\"\\\]]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Literal:
    """A string sent by its length, whatever is in it."""

    data: bytes = field(repr=False)
    before: bytes = b""  # what stands around it: `UTF8 (~{42}...)`
    after: bytes = b""


#: A piece of a command; pieces are sent with one space between them.
Part = bytes | Literal


def string(value: str | bytes) -> Part:
    """Any string, as one argument. NUL cannot be sent (RFC 9051 §9, CHAR8)."""
    raw = value.encode("utf-8") if isinstance(value, str) else value
    if b"\0" in raw:
        raise ValueError("a string with NUL cannot be sent to a mail server")
    return _quoted(raw) if _QUOTABLE.fullmatch(raw) else Literal(raw)


def utf8_string(value: str) -> Part:
    """Any string for a server that takes UTF-8 between quotes (RFC 6855 §3)."""
    raw = value.encode("utf-8")
    return _quoted(raw) if _QUOTABLE_UTF8.fullmatch(raw) else string(raw)


def _quoted(raw: bytes) -> bytes:
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def flag_list(flags: Iterable[str]) -> bytes:
    """Flags and keywords in brackets; ValueError for what is none (RFC 9051 §9, flag)."""
    names = sorted(flags)
    for name in names:
        if not _FLAG.fullmatch(name):
            raise ValueError(f"not a flag: {name!r}")
    return b"(" + " ".join(names).encode("ascii") + b")"


def uid_set(uids: Iterable[int]) -> bytes:
    """These UIDs in as few words as possible: 1:3,7."""
    ordered = sorted(set(uids))
    if ordered and not (ordered[0] >= 1 and ordered[-1] <= LAST_UID):
        raise ValueError("not UIDs")
    words: list[bytes] = []
    at = 0
    while at < len(ordered):
        first = last = ordered[at]
        while (at := at + 1) < len(ordered) and ordered[at] == last + 1:
            last = ordered[at]
        words.append(b"%d" % first if first == last else b"%d:%d" % (first, last))
    return b",".join(words)


def span_set(spans: Iterable[Span]) -> bytes:
    """These spans. The end of all UIDs is `*`, as not every server takes the largest number."""
    return b",".join(
        b"%d:*" % span.first
        if span.last == LAST_UID
        else b"%d" % span.first
        if span.first == span.last
        else b"%d:%d" % (span.first, span.last)
        for span in spans
    )


def date_time(when: datetime) -> bytes:
    """An INTERNALDATE (RFC 9051 §9, date-time), in English whatever the locale."""
    offset = when.utcoffset()
    if offset is None:
        raise ValueError("a date without a zone is not a date")
    minutes = round(offset.total_seconds() / 60)
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    return (
        f'"{when.day:02}-{_MONTHS[when.month - 1]}-{when.year:04} '
        f'{when.hour:02}:{when.minute:02}:{when.second:02} {zone}"'
    ).encode("ascii")

"""What an answer says: RFC 9051 §9 read generously, because servers are not all careful."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from services.sync.domain.covered import LAST_UID, Covered, Span
from services.sync.imap.errors import Garbled
from services.sync.imap.framing import Frame

#: A string is bytes, an atom or number is str, NIL is None, a list is a list.
Value: TypeAlias = "str | bytes | list[Value] | None"

_TOKEN = re.compile(
    rb"""
      (?P<space>[ \t]+)
    | (?P<open>\()
    | (?P<close>\))
    | "(?P<quoted>[^"\\]*(?:\\.[^"\\]*)*)"
    | (?P<atom>(?:[^\s()"\[\]]++|\[[^\[\]]{0,2000}+\]|[\[\]])+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NUMBERED = re.compile(rb"\* +(\d{1,10}) +([A-Za-z][A-Za-z0-9.-]*)(?: +|\Z)")
_UNTAGGED = re.compile(rb"\* +([A-Za-z][A-Za-z0-9.-]*)(?: +|\Z)")
_STATUS = re.compile(rb"(?P<tag>[^\s]+) +(?P<status>OK|NO|BAD|BYE|PREAUTH)(?: +|\Z)", re.IGNORECASE)
_CODE = re.compile(rb"\[(?P<name>[^\s\]]+)(?: +(?P<rest>[^\]]*))?\] ?")

#: Words for people, and not a book.
MAX_WORDS = 2_000
#: BODYSTRUCTURE nests; nobody nests deeper than this for a good reason.
MAX_DEPTH = 2_000


class Untagged(NamedTuple):
    """Data from the server, asked for or not: `* 12 FETCH (...)`, `* LIST ...`."""

    kind: str  # upper case
    number: int | None
    frame: Frame
    offset: int  # where in the first line the data begins

    def values(self) -> list[Value]:
        """The data. Garbled when its brackets or quotes do not match."""
        first, *others = self.frame
        return parse_values([first[self.offset :], *others])


@dataclass(frozen=True, slots=True)
class Status:
    """How a command ended (with a tag), or a remark of the server (without)."""

    tag: str | None
    status: str  # OK, NO, BAD, BYE, PREAUTH
    code: str | None  # upper case: "UIDVALIDITY", "TRYCREATE"
    arguments: bytes  # of the code
    text: str

    def values(self) -> list[Value]:
        """The arguments of the response code."""
        return parse_values([self.arguments])


@dataclass(frozen=True, slots=True)
class Continue:
    """The server waits for the rest of a command."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """What no rule of the protocol explains; harmless unless something is missing after it."""

    frame: Frame = field(repr=False)


Answer = Untagged | Status | Continue | Noise


def parse_answer(frame: Frame) -> Answer:
    """What kind of answer this is. The data of untagged ones is looked at only when wanted."""
    line = frame[0]
    if numbered := _NUMBERED.match(line):  # nearly every line of many
        return Untagged(
            numbered[2].decode("ascii").upper(), int(numbered[1]), frame, numbered.end()
        )
    if line.startswith(b"+"):
        return Continue(line[1:].strip())
    if status := _STATUS.match(line):
        tag = status["tag"]
        if tag == b"*" or not tag.startswith((b"*", b"+")):
            return _status(None if tag == b"*" else as_text(tag), status, line)
    if untagged := _UNTAGGED.match(line):
        return Untagged(untagged[1].decode("ascii").upper(), None, frame, untagged.end())
    return Noise(frame)


def _status(tag: str | None, status: re.Match[bytes], line: bytes) -> Status:
    code, arguments, at = None, b"", status.end()
    if found := _CODE.match(line, at):
        code = as_text(found["name"]).upper()
        arguments = found["rest"] or b""
        at = found.end()
    text = as_text(line[at : at + MAX_WORDS]).strip()
    return Status(tag, status["status"].decode("ascii").upper(), code, arguments, text)


def parse_values(pieces: Frame) -> list[Value]:
    """The values in a line and its literals (every second piece is a literal)."""
    top: list[Value] = []
    here = top
    outer: list[list[Value]] = []
    for index, piece in enumerate(pieces):
        if index % 2:
            here.append(piece)
            continue
        for token in _TOKEN.finditer(piece):
            match token.lastgroup:
                case "atom":
                    atom = token[0]
                    here.append(None if atom.upper() == b"NIL" else as_text(atom))
                case "open":
                    if len(outer) >= MAX_DEPTH:
                        raise Garbled("lists nested too deep")
                    outer.append(here)
                    inner: list[Value] = []
                    here.append(inner)
                    here = inner
                case "close":
                    if not outer:
                        raise Garbled("a list is closed that was not opened")
                    here = outer.pop()
                case "quoted":
                    quoted = token["quoted"]
                    here.append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
                case "other":
                    raise Garbled("a quoted string does not end")
                case _:
                    pass
    if outer:
        raise Garbled("a list does not end")
    return top


def as_text(raw: bytes) -> str:
    """Words of a server as people may read them: UTF-8, or else what was meant by one byte each."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return text.replace("\0", "\ufffd") if "\0" in text else text


def as_number(value: Value) -> int | None:
    """A number of at most 64 bits, also when a server quotes it; None for anything else."""
    if isinstance(value, bytes):
        value = as_text(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        number = int(value)
        return number if number < 2**63 else None
    return None


def as_count(value: Value) -> int | None:
    """How many messages there are, or a UID, or the one after the last (RFC 9051 §9, number)."""
    number = as_number(value)
    return number if number is not None and number <= 2**32 else None


def as_string(value: Value) -> bytes | None:
    """An astring (RFC 9051 §9): servers choose freely between atom, quoted and literal."""
    if isinstance(value, str):
        return value.encode("utf-8")
    return value if isinstance(value, bytes) else None


_OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def as_id(value: Value) -> str | None:
    """An object's name in brackets, `(M6d99ac3275bb4e)`, or None when it is none (RFC 8474 §7)."""
    raw = as_string(value[0]) if isinstance(value, list) and value else None
    name = as_text(raw) if raw else ""
    return name if _OBJECT_ID.fullmatch(name) else None


def as_modseq(value: Value) -> int | None:
    """A modification sequence in brackets, `(12121231000)` (RFC 7162 §7)."""
    return as_number(value[0]) if isinstance(value, list) and value else None


def as_words(value: Value) -> list[str]:
    """The atoms in a list, such as flags; anything else in it is passed over."""
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def items_of(answer: Untagged) -> dict[str, Value] | None:
    """The data items of a FETCH answer by name; None when it cannot be read."""
    if answer.kind != "FETCH":
        return None
    if (plain := _plain_items(answer.frame, answer.offset)) is not None:
        return plain
    try:
        match answer.values():
            case [list() as items, *_]:
                return {
                    name.upper(): value
                    for name, value in zip(items[::2], items[1::2], strict=False)
                    if isinstance(name, str)
                }
            case _:
                return None
    except Garbled:
        return None


#: An item with its value: quoted, a list of atoms, an atom, or the literal after this line.
_ITEM = re.compile(
    rb"""
    (?P<name>[A-Za-z][A-Za-z0-9.-]*(?:\[[^\[\]"\x80-\xff]*\])?)[ ]
    (?:"([^"\\]*)" | \(([^()"\[\]{}]*)\) | ([^\s()"\[\]{}\\]+) | \Z)
    (?P<after>[ ]|\)\Z)?
    """,
    re.VERBOSE,
)


def _plain_items(frame: Frame, offset: int) -> dict[str, Value] | None:
    """The same for answers as they nearly always are, in a third of the time; None for others."""
    told: dict[str, Value] = {}
    pieces = iter(frame)
    line, at = next(pieces), offset + 1
    if not line.startswith(b"(", offset):
        return None
    while found := _ITEM.match(line, at):
        name, quoted, listed, atom, after = found.groups()
        at = found.end()
        value: Value
        if atom is not None:
            value = None if atom.upper() == b"NIL" else as_text(atom)
        elif listed is not None:
            if b"NIL" in listed.upper():
                return None
            value = [as_text(word) for word in listed.split()]
        elif quoted is not None:
            value = quoted
        else:
            value, line, at = next(pieces, None), next(pieces, b""), 1
            if value is None:
                return None
            after = b")" if line == b")" else line[:1]
        told[name.decode("ascii").upper()] = value
        if after != b" ":
            return told if after == b")" and next(pieces, None) is None else None
    return None


_MONTHS = {
    month: number
    for number, month in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DATE = re.compile(
    r" *(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d{2}):(\d{2}):(\d{2}) *([+-])(\d{2})(\d{2})\s*"
)


def as_date_time(value: Value) -> datetime | None:
    """An INTERNALDATE in UTC (RFC 9051 §9, date-time), or None when it makes no sense."""
    raw = as_string(value)
    found = _DATE.fullmatch(as_text(raw)) if raw else None
    if not found:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    try:
        there = datetime(
            int(year),
            _MONTHS[month.lower()],
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),  # a leap second
            tzinfo=UTC,
        )
        offset = int(zone_hours) * 60 + int(zone_minutes)
        if offset >= 24 * 60:
            return None
        return there - timedelta(minutes=-offset if sign == "-" else offset) if offset else there
    except (KeyError, ValueError, OverflowError):
        return None


def as_spans(value: Value) -> Covered:
    """The UIDs of a sequence-set (RFC 9051 §9); Garbled for any other thing."""
    spans: list[Span] = []
    for part in (as_string(value) or b"").split(b","):
        first, colon, last = part.partition(b":")
        if not first.isdigit() or (colon and not last.isdigit()) or len(part) > 21:
            raise Garbled("not a set of UIDs")
        low, high = sorted((int(first), int(last or first)))
        if low < 1 or high > LAST_UID:
            raise Garbled("not a set of UIDs")
        spans.append(Span(low, high))
    return Covered.of(spans)

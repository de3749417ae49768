"""What a server tells without being asked (RFC 9051 §7.4, §7.5, and of other mailboxes RFC 5465).

It may come in the middle of any command and is never dropped. Numbers are message sequence
numbers at the moment of telling; who needs certainty compares UIDs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from services.sync.domain.covered import Covered
from services.sync.imap.counters import StatusOf, status_of
from services.sync.imap.errors import Garbled
from services.sync.imap.names import Spelling, heard_name
from services.sync.imap.parser import (
    Answer,
    Untagged,
    as_modseq,
    as_number,
    as_spans,
    as_string,
    as_words,
    items_of,
)


@dataclass(frozen=True, slots=True)
class Exists:
    """So many messages are there now."""

    count: int


@dataclass(frozen=True, slots=True)
class Expunged:
    """The message of this sequence number is gone; those above move down by one."""

    number: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """The messages of these UIDs, of those that existed, are gone (RFC 7162 §3.2.10)."""

    uids: Covered
    earlier: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """A message is marked like this now."""

    number: int
    uid: int | None
    flags: frozenset[str]
    modseq: int | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Something happened to a mailbox that is not open (NOTIFY)."""

    raw_name: bytes
    status: StatusOf | None  # its counters, or None: look at the list of mailboxes again


@dataclass(frozen=True, slots=True)
class Flood:
    """More came than we kept, or than the server tells: compare everything."""


News = Exists | Expunged | Vanished | Marked | Elsewhere | Flood

MAX_KEPT = 10_000
#: So long may be what is told of one thing, and so much of all things.
MAX_LINE_BYTES = 1_000_000
MAX_KEPT_BYTES = 16_000_000


class NewsBox:
    """What was told and not yet taken, in order and bounded."""

    def __init__(self) -> None:
        self._kept: deque[News] = deque()
        self._elsewhere: dict[bytes, StatusOf | None] = {}  # one word for each mailbox is enough
        self._flooded = False
        self._kept_bytes = 0

    def __bool__(self) -> bool:
        return self._flooded or bool(self._kept) or bool(self._elsewhere)

    def hear(self, answer: Answer) -> None:
        """Keep an answer if it is news; anything else is of no interest to anybody."""
        if not isinstance(answer, Untagged) or (news := _news(answer)) is None:
            return
        self._kept_bytes += sum(map(len, answer.frame))
        if len(self._kept) >= MAX_KEPT or self._kept_bytes > MAX_KEPT_BYTES:
            self.turn_page()
            self.flood()
        self._kept.append(news)

    def hear_elsewhere(self, answer: Untagged, spelling: Spelling) -> None:
        """Keep what was told of another mailbox."""
        try:
            name, counters = _elsewhere(answer, spelling)
        except Garbled:
            self.flood()
            return
        if len(self._elsewhere) >= MAX_KEPT:
            self._elsewhere.clear()
            self.flood()
        if name in self._elsewhere:
            known = self._elsewhere[name]
            counters = known.updated(counters) if known and counters else None
        self._elsewhere[name] = counters

    def flood(self) -> None:
        """Something was missed."""
        self._flooded = True

    def take(self) -> list[News]:
        """All that was told; the box is empty then."""
        taken: list[News] = [Flood()] if self._flooded else []
        taken += self._kept
        taken += [Elsewhere(name, counters) for name, counters in self._elsewhere.items()]
        self._elsewhere.clear()
        self._flooded = False
        self.turn_page()
        return taken

    def turn_page(self) -> None:
        """Another mailbox is open: what was told of the one before means nothing any more."""
        self._kept.clear()
        self._kept_bytes = 0


def _news(answer: Untagged) -> News | None:
    try:
        match answer.kind, answer.number:
            case "EXISTS", int(count):
                return Exists(count)
            case "EXPUNGE", int(number):
                return Expunged(number)
            case ("VANISHED", None) | ("FETCH", int()) if _too_long(answer):
                return Flood()
            case "VANISHED", None:
                *earlier, uids = answer.values()
                return Vanished(as_spans(uids), earlier=bool(earlier))
            case "FETCH", int(number):
                return _marked(number, answer)
            case _:
                return None
    except (Garbled, ValueError):
        return Flood()  # something changed, we cannot tell what


def _too_long(answer: Untagged) -> bool:
    return sum(map(len, answer.frame)) > MAX_LINE_BYTES


def _marked(number: int, answer: Untagged) -> Marked | None:
    items = items_of(answer)
    if items is None:
        raise Garbled("a change of a message that cannot be read")
    if "FLAGS" not in items:
        return None
    return Marked(
        number,
        as_number(items.get("UID")),
        frozenset(as_words(items["FLAGS"])),
        as_modseq(items.get("MODSEQ")),
    )


def _elsewhere(answer: Untagged, spelling: Spelling) -> tuple[bytes, StatusOf | None]:
    if answer.kind == "STATUS":
        return status_of(answer, spelling)
    return listed_name(answer, spelling), None


def listed_name(answer: Untagged, spelling: Spelling) -> bytes:
    """Which mailbox a LIST answer is about."""
    match answer.values():
        case [_, _, name, *_] if (raw := as_string(name)) is not None:
            return heard_name(raw, spelling)
        case _:
            raise Garbled("a mailbox that cannot be read in a listing")

"""What a server tells without being asked, about the selected mailbox (RFC 9051 §7.4, §7.5).

It may come in the middle of any command and is never dropped. Numbers are message sequence
numbers at the moment of telling; who needs certainty compares UIDs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from services.sync.domain.covered import Covered
from services.sync.imap.errors import Garbled
from services.sync.imap.parser import Answer, Untagged, as_number, as_spans, as_words, items_of


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
class Flood:
    """More came than we kept: compare everything."""


News = Exists | Expunged | Vanished | Marked | Flood

MAX_KEPT = 10_000


class NewsBox:
    """What was told and not yet taken, in order and bounded."""

    def __init__(self) -> None:
        self._kept: deque[News] = deque()

    def __bool__(self) -> bool:
        return bool(self._kept)

    def hear(self, answer: Answer) -> None:
        """Keep an answer if it is news; anything else is of no interest to anybody."""
        if not isinstance(answer, Untagged) or (news := _news(answer)) is None:
            return
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
            self._kept.append(Flood())
        self._kept.append(news)

    def take(self) -> list[News]:
        """All that was told; the box is empty then."""
        taken = list(self._kept)
        self._kept.clear()
        return taken


def _news(answer: Untagged) -> News | None:
    try:
        match answer.kind, answer.number:
            case "EXISTS", int(count):
                return Exists(count)
            case "EXPUNGE", int(number):
                return Expunged(number)
            case "VANISHED", None:
                *earlier, uids = answer.values()
                return Vanished(as_spans(uids), earlier=bool(earlier))
            case "FETCH", int(number):
                return _marked(number, answer)
            case _:
                return None
    except (Garbled, ValueError):
        return Flood()  # something changed, we cannot tell what


def _marked(number: int, answer: Untagged) -> Marked | None:
    items = items_of(answer)
    if items is None:
        raise Garbled("a change of a message that cannot be read")
    if "FLAGS" not in items:
        return None
    modseq = items.get("MODSEQ")
    return Marked(
        number,
        as_number(items.get("UID")),
        frozenset(as_words(items["FLAGS"])),
        as_number(modseq[0]) if isinstance(modseq, list) and modseq else None,
    )

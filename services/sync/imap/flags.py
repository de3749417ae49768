"""How messages are marked, and what changed since (UID FETCH FLAGS; CONDSTORE, QRESYNC, RFC 7162).

Both come as a stream, because a mailbox may hold a million: a slow reader makes the server wait.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

from services.sync.domain.covered import EVERY_UID, Covered, Span
from services.sync.imap.arguments import span_set
from services.sync.imap.errors import Garbled
from services.sync.imap.fetch import FlagsOf
from services.sync.imap.numbers import MAX_LISTED, sets
from services.sync.imap.parser import Untagged, as_modseq, as_number, as_text, as_words, items_of
from services.sync.imap.wire import Wire

#: So many are handed over together.
PAGE = 1_000
_PLAIN = re.compile(
    rb"\* \d+ FETCH \(UID (\d{1,10}) FLAGS \(([^()\"{]*)\)(?: MODSEQ \((\d{1,18})\))?\)"
)
_EARLIER = re.compile(rb"\(EARLIER\) +", re.IGNORECASE)


async def flags(wire: Wire, span: Span, *, modseq: bool) -> AsyncGenerator[list[FlagsOf]]:
    """How each message in the span is marked, as the server tells it. Complete, or an error."""
    marks = Marks()
    page: list[FlagsOf] = []
    async with wire.exchange() as exchange:
        items = b"(UID FLAGS MODSEQ)" if modseq else b"(UID FLAGS)"
        await exchange.send("UID FETCH", span_set([span]), items)
        async for answer in exchange.answers():
            told = marks.read(answer) if isinstance(answer, Untagged) else None
            if told is None or told.uid not in span:
                exchange.overhear(answer)
                continue
            marks.count()
            page.append(told)
            if len(page) >= PAGE:
                yield page
                page = []
    if page:
        yield page


async def changes(wire: Wire, since: int) -> AsyncGenerator[list[FlagsOf] | Covered]:
    """What was marked anew, came, or vanished since this modification sequence.

    Only a server that agreed to QRESYNC tells what vanished. Complete, or an error.
    """
    marks = Marks()
    page: list[FlagsOf] = []
    asked = b"(CHANGEDSINCE %d VANISHED)" if "QRESYNC" in wire.enabled else b"(CHANGEDSINCE %d)"
    async with wire.exchange() as exchange:
        await exchange.send("UID FETCH", span_set([EVERY_UID]), b"(UID FLAGS)", asked % since)
        async for answer in exchange.answers():
            if isinstance(answer, Untagged) and answer.kind == "VANISHED":
                line = answer.frame[0]
                earlier = _EARLIER.match(line, answer.offset)
                if earlier is None:  # just now, which others may want to know as well
                    exchange.overhear(answer)
                for gone in sets(line, earlier.end() if earlier else answer.offset, len(line)):
                    yield gone
                continue
            told = marks.read(answer) if isinstance(answer, Untagged) else None
            if told is None or told.uid not in EVERY_UID:
                exchange.overhear(answer)
                continue
            marks.count()
            page.append(told)
            if len(page) >= PAGE:
                yield page
                page = []
    if page:
        yield page


class Marks:
    """Reads how messages are marked; a mailbox knows few combinations of flags."""

    def __init__(self) -> None:
        self._known: dict[bytes, frozenset[str]] = {}
        self._count = 0

    def count(self) -> None:
        """One more was told; there is an end to what is believed."""
        self._count += 1
        if self._count > MAX_LISTED:
            raise Garbled("more messages than there can be")

    def read(self, answer: Untagged) -> FlagsOf | None:
        """How the message is marked, or None when that is not what the answer tells."""
        if answer.kind != "FETCH":
            return None
        if plain := _PLAIN.fullmatch(answer.frame[0]):  # nearly every line of many
            uid, marks, modseq = plain.groups()
            if (known := self._known.get(marks)) is None:
                known = frozenset(as_text(marks).split())
                if len(self._known) < PAGE:
                    self._known[marks] = known
            return FlagsOf(int(uid), known, int(modseq) if modseq else None)
        told = items_of(answer)
        if told is None:
            raise Garbled("marks of a message that cannot be read")
        number = as_number(told.get("UID"))
        if number is None or "FLAGS" not in told:
            return None
        return FlagsOf(number, frozenset(as_words(told["FLAGS"])), as_modseq(told.get("MODSEQ")))

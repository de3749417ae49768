"""Millions of UIDs in a line, read without a million objects (RFC 9051 §9, sequence-set)."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from services.sync.domain.covered import LAST_UID, Covered, Span
from services.sync.imap.errors import Garbled
from services.sync.imap.parser import Untagged

#: More than any mailbox holds: a server that claims more is not believed, and not allocated for.
MAX_LISTED = 20_000_000
#: So much of a line is looked at together.
_SLICE_BYTES = 32 * 1024
_FEW = 5_000
_ALL = re.compile(rb"(?<= )ALL +([^ ]+)", re.IGNORECASE)
_PART = re.compile(rb"(\d+)(?::(\d+))?")
# Not possessive: Python before 3.11.5 loses its way where there is something optional inside.
_SET = re.compile(rb"(?:[1-9]\d{0,9}(?::[1-9]\d{0,9})?,)*[1-9]\d{0,9}(?::[1-9]\d{0,9})?")


class Uids:
    """UIDs as they are told, four bytes each."""

    def __init__(self) -> None:
        self._found = array("I")
        self._in_order = True

    def hear(self, answer: Untagged) -> None:
        """Take in the answer to a search; Garbled when it is not made of UIDs."""
        if len(answer.frame) > 1:
            raise Garbled("a search result that is not made of numbers")
        line = answer.frame[0]
        if answer.kind == "ESEARCH":
            if (listed := _ALL.search(line, answer.offset)) is not None:  # else nothing was found
                self._hear_set(line, *listed.span(1))
            return
        end = line.find(b"(", answer.offset)  # `(MODSEQ 7)` may follow
        for words in _slices(line, answer.offset, len(line) if end < 0 else end, b" "):
            digits = words.split()
            if words.translate(None, b"0123456789 ") or max(map(len, digits), default=0) > 10:
                raise Garbled("a search result that is not made of numbers")
            numbers = list(map(int, digits))
            if not all(numbers):
                raise Garbled("a search result with UID 0")
            self.add(numbers)

    def add(self, told: Sequence[int]) -> None:
        """Take in some."""
        if not told:
            return
        if len(self._found) + len(told) > MAX_LISTED:
            raise Garbled("more messages than there can be")
        if self._found and told[0] <= self._found[-1]:
            self._in_order = False
        if not isinstance(told, range) and told != sorted(set(told)):
            self._in_order = False
        try:
            self._found.extend(told)
        except OverflowError as error:  # four bytes, as a UID is (RFC 9051 §9, nz-number)
            raise Garbled("not a UID") from error

    def within(self, span: Span) -> array[int]:
        """Those in the span, in order, each once."""
        found = self._found
        if not self._in_order:
            found = array("I", sorted(set(found)))
        return found[bisect_left(found, span.first) : bisect_right(found, span.last)]

    def _hear_set(self, line: bytes, start: int, end: int) -> None:
        few: list[int] = []
        for first, last in bounds(line, start, end):
            if last - first < _FEW:
                few.extend(range(first, last + 1))
            if last - first >= _FEW or len(few) >= _FEW:
                self.add(few)
                few = []
            if last - first >= _FEW:
                self.add(range(first, last + 1))
        self.add(few)


def bounds(line: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The first and last of each span in a set of UIDs; Garbled for anything else."""
    for part in _slices(line, start, end, b","):
        if not _SET.fullmatch(part):
            raise Garbled("not a set of UIDs")
        for one, other in _PART.findall(part):
            first = int(one)
            last = int(other) if other else first
            if max(first, last) > LAST_UID:
                raise Garbled("not a set of UIDs")
            yield (first, last) if first <= last else (last, first)


def sets(line: bytes, start: int, end: int, *, at_most: int = 10_000) -> Iterator[Covered]:
    """A set of UIDs, some thousand spans at a time."""
    spans: list[Span] = []
    for first, last in bounds(line, start, end):
        spans.append(Span(first, last))
        if len(spans) >= at_most:
            yield Covered.of(spans)
            spans = []
    if spans:
        yield Covered.of(spans)


def _slices(line: bytes, start: int, end: int, separator: bytes) -> Iterator[bytes]:
    """A line in handy pieces, cut where words end."""
    while start < end:
        cut = end
        if end - start > _SLICE_BYTES:
            cut = line.find(separator, start + _SLICE_BYTES, end)
            cut = end if cut < 0 else cut
        yield line[start:cut]
        start = cut + 1

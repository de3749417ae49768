"""What of a mailbox is fetched at a time: newest first, so many messages and so many bytes."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from services.sync.domain.covered import LAST_UID, Covered, Span

#: A mailbox of a million messages is a list of four million bytes.
Uids = array  # of type code "I", ascending


@dataclass(frozen=True, slots=True)
class Batch:
    """Some owed UIDs, newest first, and the span that is accounted for once they are."""

    uids: tuple[int, ...]
    span: Span


def owed_of(listed: "Uids[int]", covered: Covered) -> "Uids[int]":
    """Of the UIDs a server listed, in order, those that are not accounted for."""
    owed: Uids[int] = array("I")
    at = 0
    for span in covered:
        upto = bisect_left(listed, span.first, at)
        owed.extend(listed[at:upto])
        at = bisect_right(listed, span.last, upto)
    owed.extend(listed[at:])
    return owed


def batches(owed: "Uids[int]", top: int, first: int, then: int) -> Iterator[Batch]:
    """Owed UIDs in batches from the newest down: a small one for the first screen, then larger.

    A batch reaches down to just above the newest message left for later: what is not listed in
    between does not exist, and is covered with its neighbours.
    """
    end, upper = len(owed), max(top, owed[-1] if owed else 0)
    size = first
    while end > 0:
        start = max(0, end - size)
        lower = owed[start - 1] + 1 if start else 1
        yield Batch(tuple(reversed(owed[start:end])), Span(lower, min(upper, LAST_UID)))
        end, upper, size = start, lower - 1, then

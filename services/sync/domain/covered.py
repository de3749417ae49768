"""Which UIDs of a mailbox are accounted for, and which to look at next.

Covered means that every UID in the span is accounted for: kept, quarantined, or absent from a
complete listing. Holes are covered too, so the set stays short: UIDs only grow (RFC 9051 §2.3.1.1),
and a mailbox read to its end is one span however many messages were expunged from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

#: The largest UID there can be (nz-number, RFC 9051 §9).
LAST_UID = 2**32 - 1


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The UIDs from first to last, both included."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= LAST_UID:
            raise ValueError(f"not a span of UIDs: {self.first} to {self.last}")

    def __contains__(self, uid: int) -> bool:
        return self.first <= uid <= self.last

    def __len__(self) -> int:
        return self.last - self.first + 1


EVERY_UID = Span(1, LAST_UID)


@dataclass(frozen=True, slots=True)
class Covered:
    """A set of UIDs as few disjoint spans, in order, with a gap between any two."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Covered:
        """The union of spans in any order, overlapping or touching."""
        joined: list[Span] = []
        for span in sorted(spans):
            if joined and span.first <= joined[-1].last + 1:
                if span.last > joined[-1].last:
                    joined[-1] = Span(joined[-1].first, span.last)
            else:
                joined.append(span)
        return cls(tuple(joined))

    @classmethod
    def from_bounds(cls, bounds: Iterable[tuple[int, int]]) -> Covered:
        """From half-open bounds [lower, upper), the canonical form of an int8multirange."""
        return cls.of(Span(lower, upper - 1) for lower, upper in bounds if lower < upper)

    def bounds(self) -> list[tuple[int, int]]:
        """As half-open bounds [lower, upper), the canonical form of an int8multirange."""
        return [(span.first, span.last + 1) for span in self.spans]

    @classmethod
    def of_uids(cls, uids: Iterable[int]) -> Covered:
        """Exactly these UIDs."""
        return cls.of(Span(uid, uid) for uid in uids)

    def __contains__(self, uid: int) -> bool:
        return any(uid in span for span in self.spans)

    def __iter__(self) -> Iterator[Span]:
        return iter(self.spans)

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __len__(self) -> int:
        return sum(len(span) for span in self.spans)

    def __or__(self, other: Covered) -> Covered:
        return Covered.of((*self.spans, *other.spans))

    def add(self, span: Span) -> Covered:
        """With this span covered as well."""
        return Covered.of((*self.spans, span))

    def __sub__(self, other: Covered) -> Covered:
        """What is covered here and not there; one pass over both."""
        left: list[Span] = []
        theirs = list(other.spans)
        at = 0
        for span in self.spans:
            first = span.first
            while at < len(theirs) and theirs[at].last < first:
                at += 1
            here = at
            while here < len(theirs) and theirs[here].first <= span.last:
                if first < theirs[here].first:
                    left.append(Span(first, theirs[here].first - 1))
                first = theirs[here].last + 1
                here += 1
            if first <= span.last:
                left.append(Span(first, span.last))
        return Covered(tuple(left))

    def gaps(self, within: Span) -> list[Span]:
        """What is not covered inside this span, newest first."""
        return list(reversed((Covered((within,)) - self).spans))

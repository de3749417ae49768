"""Which bytes were asked for (Range, RFC 9110 §14)."""

import re
from dataclasses import dataclass

_ONE = re.compile(r"bytes=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from the first up to and with the last."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class NotThere(Exception):
    """None of the bytes asked for exist."""


def asks_for_some(value: str | None) -> bool:
    """Whether this is a range we give; of several, or of other units, all is given instead."""
    return value is not None and _bounds(value) is not None


def span_of(value: str, size: int) -> Span | None:
    """The bytes meant, of so many; None where all are to be given. Raises NotThere."""
    bounds = _bounds(value)
    if bounds is None:
        return None
    first, last = bounds
    if first is None:
        assert last is not None
        if last == 0 or size == 0:
            raise NotThere
        return Span(max(0, size - last), size - 1)
    if first >= size:
        raise NotThere
    return Span(first, size - 1 if last is None else min(last, size - 1))


def _bounds(value: str) -> tuple[int | None, int | None] | None:
    found = _ONE.fullmatch(value.strip())
    if found is None or not (found[1] or found[2]):
        return None
    first = int(found[1]) if found[1] else None
    last = int(found[2]) if found[2] else None
    if first is not None and last is not None and last < first:
        return None  # no range at all (RFC 9110 §14.1.1)
    return first, last

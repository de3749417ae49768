"""What of a mailbox is fetched at a time, newest first."""

from collections.abc import Sequence

from msgspec import Struct

from services.sync.domain.covered import Span


class Window(Struct, frozen=True, kw_only=True):
    """Some owed UIDs, newest first, and the span that is accounted for once they are."""

    uids: tuple[int, ...]
    span: Span


def windows(owed: Sequence[int], top: int, first: int, then: int) -> list[Window]:
    """Owed UIDs (newest first) in windows: a small one for the first screen, then larger ones."""
    cut: list[Window] = []
    start, upper = 0, top
    while start < len(owed):
        size = then if cut else first
        uids = tuple(owed[start : start + size])
        start += size
        lower = owed[start] + 1 if start < len(owed) else 1
        cut.append(Window(uids=uids, span=Span(lower, upper)))
        upper = lower - 1
    return cut

"""How facts are cut into pages: so many at most, and so many bytes."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from shared.contracts.envelope import encode
from shared.contracts.mail import PAGE_BYTES, PAGE_CHANGES, PAGE_MESSAGES, SyncedMessage

T = TypeVar("T")


def message_pages(messages: Sequence[SyncedMessage]) -> Iterator[tuple[SyncedMessage, ...]]:
    """Whole messages in pages the bus carries well; one that is larger is a page of its own."""
    page: list[SyncedMessage] = []
    page_bytes = 0
    for message in messages:
        size = len(encode(message))
        if page and (len(page) == PAGE_MESSAGES or page_bytes + size > PAGE_BYTES):
            yield tuple(page)
            page, page_bytes = [], 0
        page.append(message)
        page_bytes += size
    if page:
        yield tuple(page)


def change_pages(changes: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Small facts in pages."""
    for start in range(0, len(changes), PAGE_CHANGES):
        yield tuple(changes[start : start + PAGE_CHANGES])

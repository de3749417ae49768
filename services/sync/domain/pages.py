"""How facts are cut into pages: so many at most, and so many bytes."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from shared.contracts.mail import PAGE_BYTES, PAGE_CHANGES, PAGE_MESSAGES

T = TypeVar("T")


#: What a page says of a message beside its content: ids, state, some keywords.
_BESIDE = 1_000


def message_pages(messages: Sequence[T], size_of: Callable[[T], int]) -> Iterator[tuple[T, ...]]:
    """Whole messages in pages the bus carries well; one that is larger is a page of its own.

    `size_of` says how many bytes a message's content takes.
    """
    page: list[T] = []
    page_bytes = 0
    for message in messages:
        size = size_of(message) + _BESIDE
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

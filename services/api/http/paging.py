"""Pages of lists: a limit, an opaque cursor, and where to go on."""

from typing import Annotated, Generic, TypeVar

from litestar.params import QueryParameter
from msgspec import Struct

from services.api.domain.cursors import After

T = TypeVar("T")

Limit = Annotated[
    int, QueryParameter(ge=1, le=200, description="How many at most. 50 unless told.")
]
Cursor = Annotated[
    str | None, QueryParameter(description="`next_cursor` of the page before; leave out to begin.")
]


class Page(Struct, Generic[T], frozen=True, kw_only=True):
    """Some of a list. `next_cursor` is null at its end."""

    items: list[T]
    next_cursor: str | None = None


def after(cursor: str | None) -> After | None:
    """Where a cursor stands; raises CursorInvalid."""
    return After.read(cursor) if cursor else None

"""What somebody asked for, term by term, before it is known what each term means.

A query is said in two ways, as a line of text and as JSON; both become this.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the query something stands: characters from 0, or a JSON pointer (RFC 6901)."""

    position: int | None = None
    pointer: str | None = None


class QueryInvalid(Exception):
    """A query that cannot be read: why, and where."""

    def __init__(self, detail: str, at: Place) -> None:
        super().__init__(detail)
        self.detail = detail
        self.position = at.position
        self.pointer = at.pointer


def refuse(detail: str, at: Place) -> NoReturn:
    raise QueryInvalid(detail, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One operator with its value; without an operator, words that stand anywhere."""

    operator: str  # in lower case
    value: str
    is_phrase: bool = False
    at: Place  # of the term
    value_at: Place


@dataclass(frozen=True, slots=True)
class Opposite:
    """Not this."""

    of: "Said"


@dataclass(frozen=True, slots=True)
class Every:
    """All of these."""

    of: tuple["Said", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of these."""

    of: tuple["Said", ...]


Said: TypeAlias = Term | Opposite | Every | Either


def terms(said: Said) -> Iterator[Term]:
    """The terms of a query, as they stand in it."""
    match said:
        case Term():
            yield said
        case Opposite(inner):
            yield from terms(inner)
        case Every(several) | Either(several):
            for inner in several:
                yield from terms(inner)

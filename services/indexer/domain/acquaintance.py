"""Whom somebody writes with, by the messages between them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from services.indexer.domain.tokenise import has_words, read

_SENT_COUNTS = 3  # whom one writes to is known better than who writes
_REMEMBERED = 4_096  # the same people write again and again, and to read a name takes longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Who wrote to whom, each as `Name <address>`."""

    received_at: datetime
    sender: Sequence[str]
    recipients: Sequence[str]


@dataclass(slots=True)
class Acquaintance:
    """Somebody, and how much mail there is with them."""

    name: str = ""
    email: str = ""
    sent: int = 0
    received: int = 0
    last_at: datetime | None = None

    def meet(self, name: str, email: str, at: datetime) -> None:
        """Once more, under this name and address; the newest are theirs."""
        if self.last_at is None or at > self.last_at:
            self.last_at, self.email, self.name = at, email, name or self.name
        self.name = self.name or name


def acquainted(
    letters: Iterable[Letter], own_addresses: Iterable[str], prefix: str
) -> list[Acquaintance]:
    """Those whose name or address begins so, the one most written with first."""
    own = {address.casefold() for address in own_addresses}
    met: defaultdict[str, Acquaintance] = defaultdict(Acquaintance)
    for letter in letters:
        mine = any(_address(person).casefold() in own for person in letter.sender)
        for person in letter.recipients if mine else letter.sender:
            email = _address(person)
            if not email or email.casefold() in own or not is_called(person, prefix):
                continue
            one = met[email.casefold()]
            one.meet(_name(person), email, letter.received_at)
            one.sent += mine
            one.received += not mine
    return sorted(
        met.values(),
        key=lambda one: (_SENT_COUNTS * one.sent + one.received, one.last_at),
        reverse=True,
    )


def is_called(person: str, prefix: str) -> bool:
    """Whether every word typed begins a word of the name or address; none begin any."""
    if not has_words(prefix):
        return True
    words = _words_of(person)
    return all(
        any(word.startswith(begun) for word in words)
        for part in prefix.split()
        for begun in _begun(part)
    )


@lru_cache(maxsize=_REMEMBERED)
def _words_of(person: str) -> list[str]:
    reading = read(person)
    return [*reading.words, *(whole for _, whole in reading.wholes)]


@lru_cache(maxsize=_REMEMBERED)
def _begun(part: str) -> list[str]:
    reading = read(part)
    return [whole for _, whole in reading.wholes if "@" in whole] or reading.words


def _name(person: str) -> str:
    return person.rpartition("<")[0].strip()


def _address(person: str) -> str:
    return person.rpartition("<")[2].rstrip(">").strip()

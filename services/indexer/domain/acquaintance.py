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
    begun = _begun(prefix)
    met: defaultdict[str, Acquaintance] = defaultdict(Acquaintance)
    for letter in letters:
        mine = any(_called(person).key in own for person in letter.sender)
        for person in letter.recipients if mine else letter.sender:
            called = _called(person)
            if not called.key or called.key in own or not called.begins(begun):
                continue
            one = met[called.key]
            one.meet(called.name, called.email, letter.received_at)
            one.sent += mine
            one.received += not mine
    return sorted(
        met.values(),
        key=lambda one: (_SENT_COUNTS * one.sent + one.received, one.last_at),
        reverse=True,
    )


def is_called(person: str, prefix: str) -> bool:
    """Whether every word typed begins a word of the name or address; none begin any."""
    return _called(person).begins(_begun(prefix))


@dataclass(frozen=True, slots=True)
class _Called:
    """Somebody as `Name <address>`, and the words of it."""

    name: str
    email: str
    key: str  # who has the same is the same
    words: tuple[str, ...]

    def begins(self, begun: Sequence[str]) -> bool:
        return all(any(word.startswith(one) for word in self.words) for one in begun)


@lru_cache(maxsize=_REMEMBERED)
def _called(person: str) -> _Called:
    reading = read(person)
    name, _, rest = person.rpartition("<")
    email = rest.rstrip(">").strip()
    words = (*reading.words, *(whole for _, whole in reading.wholes))
    return _Called(name.strip(), email, email.casefold(), words)


def _begun(prefix: str) -> list[str]:
    """What each word typed is the beginning of."""
    begun: list[str] = []
    for part in prefix.split() if has_words(prefix) else ():
        reading = read(part)
        begun += [whole for _, whole in reading.wholes if "@" in whole] or reading.words
    return begun

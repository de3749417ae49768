"""What is left of a wish to mark a message, once the server's word counts (conflicts follow it).

A flag is there or not (RFC 9051 §2.3.2), in any case of its letters.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """Flags to be there, and flags to be there no longer."""

    add: frozenset[str]
    remove: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


def left_of(wish: Wish, known: Iterable[str], told: Iterable[str]) -> Wish:
    """What is still to be done to a message that somebody else has changed since we knew it.

    A flag that they changed stays as they left it.
    """
    before, now = _folded(known), _folded(told)
    theirs = before ^ now
    return Wish(
        frozenset(flag for flag in wish.add if flag.lower() not in theirs),
        frozenset(flag for flag in wish.remove if flag.lower() not in theirs),
    )


def is_met(wish: Wish, flags: Iterable[str]) -> bool:
    """Whether a message is marked as wished."""
    now = _folded(flags)
    return _folded(wish.add) <= now and now.isdisjoint(_folded(wish.remove))


def kept_of(wish: Wish, permanent: frozenset[str]) -> Wish:
    """What of a wish a mailbox can keep: `\\*` stands for any keyword (RFC 9051 §7.1)."""
    if "\\*" in permanent:
        kept = frozenset(one for one in wish.add if not one.startswith("\\")) | {
            one for one in wish.add if one.lower() in _folded(permanent)
        }
    else:
        kept = frozenset(one for one in wish.add if one.lower() in _folded(permanent))
    return Wish(kept, wish.remove)


def _folded(flags: Iterable[str]) -> frozenset[str]:
    return frozenset(flag.lower() for flag in flags)

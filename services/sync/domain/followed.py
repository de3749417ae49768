"""Whose events somebody has before their eyes at this moment."""

from collections.abc import Iterable
from uuid import UUID

#: The word is given again every few seconds; one may be lost.
_SECONDS = 15.0


class Followed:
    """Accounts that are followed, on a clock that only goes forward (seconds)."""

    def __init__(self) -> None:
        self._until: dict[UUID, float] = {}
        self._new: set[UUID] = set()

    def note(self, account_ids: Iterable[UUID], at: float) -> bool:
        """These are followed; True when one of them was not before."""
        self._until = {one: until for one, until in self._until.items() if until > at}
        self._new &= self._until.keys()
        begun = [one for one in account_ids if one not in self._until]
        self._until |= dict.fromkeys(account_ids, at + _SECONDS)
        self._new |= set(begun)
        return bool(begun)

    def take_new(self) -> set[UUID]:
        """Those who began to be followed since last asked."""
        new, self._new = self._new, set()
        return new

    def is_followed(self, account_id: UUID, at: float) -> bool:
        """Whether somebody waits for this account's news."""
        return self._until.get(account_id, 0.0) > at

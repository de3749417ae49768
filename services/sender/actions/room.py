"""Room for attempts: for so many at a time, and of each account for so many."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar
from uuid import UUID

T = TypeVar("T")


class Room(Generic[T]):
    """Who takes a submission enters first, so that no more are taken than can be attempted."""

    def __init__(self, most: int, most_per_account: int) -> None:
        self._most = most
        self._most_per_account = most_per_account
        self._inside: Counter[UUID] = Counter()  # by account
        self._empty = asyncio.Event()
        self._empty.set()
        self._begin: Callable[[T], None] | None = None
        self._is_open = False

    @property
    def free(self) -> int:
        return self._most - self._inside.total()

    def free_of(self, account_id: UUID) -> int:
        """How many more may enter of this account, as far as it alone is concerned."""
        return self._most_per_account - self._inside[account_id]

    def open(self, begin: Callable[[T], None]) -> None:
        """From now on somebody is here who begins attempts."""
        self._begin = begin
        self._is_open = True

    async def close(self) -> None:
        """Let nobody else enter, and wait until all have left."""
        self._is_open = False
        await self._empty.wait()

    def shut(self) -> None:
        """Whoever could begin attempts is gone."""
        self._is_open = False
        self._begin = None

    def enter(self, account_id: UUID, count: int = 1) -> bool:
        """Take room for so many of an account; False when there is none."""
        if not self._is_open or min(self.free, self.free_of(account_id)) < count:
            return False
        self._inside[account_id] += count
        self._empty.clear()
        return True

    def leave(self, account_id: UUID, count: int = 1) -> None:
        """Give room back."""
        self._inside[account_id] -= count
        if not self._inside[account_id]:
            del self._inside[account_id]
        if not self._inside:
            self._empty.set()

    def begin(self, account_id: UUID, taken: T) -> None:
        """Attempt what was taken by somebody who had entered for it; it leaves when it ends.

        Where nobody is left to do so, its lease will end.
        """
        if self._begin is None:
            self.leave(account_id)
        else:
            self._begin(taken)

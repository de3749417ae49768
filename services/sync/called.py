"""How those who keep accounts are called: to look at a server, or to carry out what waits."""

import asyncio
from uuid import UUID


class Call(asyncio.Event):
    """Set when an account is to be looked at, or when intents of it wait.

    Whoever only carries out intents leaves the wish for a look as it is, and the other way round.
    """

    def __init__(self) -> None:
        super().__init__()
        self._look = False
        self._carry = False

    def set(self) -> None:
        """Look at the account."""
        self._look = True
        super().set()

    def carry(self) -> None:
        """Carry out what waits."""
        self._carry = True
        super().set()

    def clear(self) -> None:
        """The look is taken."""
        self._look = False
        if not self._carry:
            super().clear()

    def take_carry(self) -> None:
        """What waits is carried out."""
        self._carry = False
        if not self._look:
            super().clear()

    @property
    def wants_look(self) -> bool:
        """Whether the account is to be looked at."""
        return self._look

    @property
    def wants_carry(self) -> bool:
        """Whether intents wait."""
        return self._carry


class Calls:
    """The calls of the accounts that are kept in this process."""

    def __init__(self) -> None:
        self._kept: dict[UUID, Call] = {}

    def of(self, account_id: UUID) -> Call:
        """A call for whoever begins to keep this account; one that kept it before is called off."""
        call = self._kept[account_id] = Call()
        return call

    def carry(self, account_id: UUID) -> bool:
        """Let what waits be carried out; False for an account that is not kept here."""
        call = self._kept.get(account_id)
        if call is not None:
            call.carry()
        return call is not None

    def forget(self, account_id: UUID, call: Call) -> None:
        """Nobody answers this call any more."""
        if self._kept.get(account_id) is call:
            del self._kept[account_id]

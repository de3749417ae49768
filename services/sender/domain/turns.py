"""Whose message is next: tenants take turns, and within a tenant its accounts."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Sender:
    """An account, and whose it is."""

    tenant_id: UUID
    account_id: UUID


class Turns:
    """The accounts that are believed to have something due, in the order of their turns.

    However much one of them has, another waits for one message of each tenant at most, and
    within its tenant for one message of each account.
    """

    def __init__(self) -> None:
        self._tenants: OrderedDict[UUID, OrderedDict[UUID, None]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(accounts) for accounts in self._tenants.values())

    def add(self, senders: Iterable[Sender]) -> None:
        """These have something due; who is new comes last."""
        for sender in senders:
            self._tenants.setdefault(sender.tenant_id, OrderedDict())[sender.account_id] = None

    def remove(self, sender: Sender) -> None:
        """This one has nothing more that is due."""
        accounts = self._tenants.get(sender.tenant_id)
        if accounts is not None:
            accounts.pop(sender.account_id, None)
            if not accounts:
                del self._tenants[sender.tenant_id]

    def take(self, limit: int, room: Callable[[UUID], int]) -> dict[Sender, int]:
        """How many messages of whom to take now: at most `limit`, of each at most its `room`.

        A tenant whose accounts have no room leaves its turn to the others.
        """
        wanted: dict[Sender, int] = {}
        without_room: set[UUID] = set()
        while limit > 0 and len(without_room) < len(self._tenants):
            tenant_id = next(iter(self._tenants))
            self._tenants.move_to_end(tenant_id)
            sender = self._next_of(tenant_id, wanted, room)
            if sender is None:
                without_room.add(tenant_id)
                continue
            wanted[sender] = wanted.get(sender, 0) + 1
            limit -= 1
        return wanted

    def _next_of(
        self, tenant_id: UUID, wanted: dict[Sender, int], room: Callable[[UUID], int]
    ) -> Sender | None:
        accounts = self._tenants[tenant_id]
        for _ in range(len(accounts)):
            account_id = next(iter(accounts))
            accounts.move_to_end(account_id)
            sender = Sender(tenant_id, account_id)
            if wanted.get(sender, 0) < room(account_id):
                return sender
        return None

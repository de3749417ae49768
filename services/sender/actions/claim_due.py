"""Take in hand what is due, as much of each account as it is its turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.sender.actions.taking import Due, Terms, take
from services.sender.domain.submission import Submission
from services.sender.domain.telling import pages_of
from services.sender.domain.turns import Sender
from shared.bus import tell
from shared.db import Connection, Pool, in_transaction


@dataclass(frozen=True, slots=True)
class Claimed:
    """What was taken, and the accounts that have nothing more for now."""

    due: Sequence[Due]
    exhausted: frozenset[Sender]


async def claim_due(wanted: Mapping[Sender, int], *, terms: Terms, pool: Pool) -> Claimed:
    """Take these under a lease and tell that they are being sent."""

    async def work(connection: Connection) -> Claimed:
        taken = await take(connection, wanted, terms)
        await tell(connection, *pages_of(taken.changes))
        return Claimed(taken.due, _exhausted(wanted, taken.found))

    return await in_transaction(pool, work)


def _exhausted(wanted: Mapping[Sender, int], claimed: Sequence[Submission]) -> frozenset[Sender]:
    taken: dict[Sender, int] = {}
    for one in claimed:
        sender = Sender(one.tenant_id, one.account_id)
        taken[sender] = taken.get(sender, 0) + 1
    return frozenset(sender for sender, count in wanted.items() if taken.get(sender, 0) < count)

"""An intent has been carried out, or will not be."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.sync.actions.settling import settle
from services.sync.store import intents, leases
from services.sync.store.leases import Lease
from shared.contracts.intent import CarryIntent, Exempt, Outcome
from shared.db import Connection, Pool, in_transaction

_AT_ONCE = 100


async def settle_intent(
    lease: Lease,
    command: CarryIntent,
    outcome: Outcome,
    pool: Pool,
    *,
    reason: str | None = None,
    server_said: str | None = None,
    exempt: Sequence[Exempt] = (),
) -> None:
    """Tell how it ended."""

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        await settle(
            connection, command, outcome, reason=reason, server_said=server_said, exempt=exempt
        )

    await in_transaction(pool, work)


async def settle_expired(pool: Pool, after: timedelta) -> bool:
    """Give up what could not be begun for so long; whether there may be more."""

    async def work(connection: Connection) -> bool:
        expired = await intents.too_old(connection, datetime.now(UTC) - after, _AT_ONCE)
        for command in expired:
            await settle(connection, command, Outcome.REFUSED, reason="expired")
        return len(expired) == _AT_ONCE

    return await in_transaction(pool, work)

"""Let go of what has been kept long enough: log rows, tombstones, ended sessions."""

from datetime import UTC, datetime, timedelta

from services.api.store import (
    accounts,
    connect_links,
    deliveries,
    exports,
    intents,
    log,
    members,
    messages,
    people,
    places,
    retellings,
    webhooks,
)
from shared.db import Pool

_AT_A_TIME = 1000
_PLACES_KEPT = timedelta(days=400)


async def trim_log(pool: Pool, keep: timedelta, now: datetime) -> int:
    """Forget events older than that, in every tenant's log; returns how many went."""
    before = now - keep
    async with pool.acquire() as connection:
        tenants = await log.tenants_with_a_log(connection)
    total = 0
    for tenant_id in tenants:
        while True:
            async with pool.acquire() as connection, connection.transaction():
                gone = await log.trim(connection, tenant_id, before=before, limit=_AT_A_TIME)
            total += gone
            if gone < _AT_A_TIME:
                break
    return total


async def forget_tombstones(pool: Pool, keep: timedelta) -> None:
    """Forget that there were messages, accounts and retellings, once nothing late can come."""
    before = datetime.now(UTC) - keep
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await messages.forget_tombstones(connection, before=before, limit=_AT_A_TIME) == 0:
                break
    async with pool.acquire() as connection, connection.transaction():
        await accounts.forget_tombstones(connection, before=before)
        await retellings.forget_old(connection, days=keep.days)


async def forget_sessions(pool: Pool, keep: timedelta) -> None:
    """Forget sessions some time after their last token could be shown, and dead invitations."""
    before = datetime.now(UTC) - keep
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await people.forget_sessions(connection, before=before, limit=_AT_A_TIME) == 0:
                await members.forget_invitations(connection, datetime.now(UTC))
                await places.forget(connection, datetime.now(UTC) - _PLACES_KEPT)
                return


async def forget_jobs(pool: Pool, keep: timedelta) -> None:
    """Forget what was asked for and has long been done."""
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await intents.forget_old(connection, days=keep.days, limit=_AT_A_TIME) == 0:
                return


async def forget_deliveries(pool: Pool, keep: timedelta, now: datetime) -> None:
    """Forget what endpoints answered long ago, and secrets that are good no more."""
    async with pool.acquire() as connection, connection.transaction():
        await webhooks.forget_ended_secrets(connection, now)
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await deliveries.forget(connection, before=now - keep, limit=_AT_A_TIME) == 0:
                return


async def forget_exports(pool: Pool, now: datetime) -> None:
    """Exports whose links have ended."""
    async with pool.acquire() as connection, connection.transaction():
        await exports.forget_ended(connection, now)


async def forget_links(pool: Pool, keep: timedelta, now: datetime) -> None:
    """Forget connect links that ended long ago, used or not."""
    async with pool.acquire() as connection:
        await connect_links.forget_old(connection, now - keep)

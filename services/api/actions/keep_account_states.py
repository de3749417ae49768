"""Show how accounts are doing, whether they can send, and how far their first copies came."""

from collections.abc import Iterable, Sequence
from typing import TypeVar
from uuid import UUID

from services.api.domain import logbook
from services.api.domain.told import newest_each
from services.api.store import accounts, log
from shared.contracts.account import AccountChanged, AccountProgressed, SendingChanged
from shared.db import Connection, Pool, in_transaction

E = TypeVar("E", AccountChanged, AccountProgressed, SendingChanged)


async def keep_account_states(pool: Pool, events: Sequence[AccountChanged]) -> dict[UUID, int]:
    """Let these accounts be as told; returns how far logs grew."""
    newest = _newest(events)

    async def work(connection: Connection) -> dict[UUID, int]:
        differ = await accounts.put_states(connection, newest)
        entries = [
            logbook.of_account_state(event)
            for event in newest
            if (event.tenant_id, event.account_id) in differ
        ]
        return await log.append(connection, await log.unlogged(connection, entries))

    return await in_transaction(pool, work)


async def keep_sending(pool: Pool, events: Sequence[SendingChanged]) -> dict[UUID, int]:
    """Let these accounts be able to send, or not, as told; returns how far logs grew."""
    newest = _newest(events)

    async def work(connection: Connection) -> dict[UUID, int]:
        news = await accounts.put_sending(connection, newest)
        entries = [
            logbook.of_sending(event)
            for event in newest
            if (event.tenant_id, event.account_id) in news
        ]
        return await log.append(connection, await log.unlogged(connection, entries))

    return await in_transaction(pool, work)


async def keep_progress(pool: Pool, events: Sequence[AccountProgressed]) -> dict[UUID, int]:
    """Let first copies be as far as told; returns how far logs grew."""
    newest = _newest(events)

    async def work(connection: Connection) -> dict[UUID, int]:
        news = await accounts.put_progress(connection, newest)
        entries = [
            logbook.of_progress(event)
            for event in newest
            if (event.tenant_id, event.account_id) in news
        ]
        return await log.append(connection, await log.unlogged(connection, entries))

    return await in_transaction(pool, work)


def _newest(events: Iterable[E]) -> list[E]:
    """The newest event of each account, sorted by tenant and account."""
    return newest_each(
        events,
        key=lambda event: (event.tenant_id, event.account_id),
        revision=lambda event: event.revision,
    )

"""The smaller loops: copies for Sent, retellings, and rows whose time is over."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import nats.errors
import structlog

from services.sync.actions.forget_account import forget_account
from services.sync.actions.rethread_account import rethread_account
from services.sync.actions.revoke_consents import revoke_consents
from services.sync.actions.tell_again import tell_again
from services.sync.metrics import ACCOUNT_STATES, OLDEST_PROOF_SECONDS, UNPROVEN
from services.sync.store import (
    accounts,
    audits,
    draft_copies,
    grants,
    hosts,
    keepsakes,
    messages,
    rethreadings,
    sent_copies,
    standing,
)
from services.sync.store.leases import LeaseLost
from services.sync.workers.filing import Due, file_copies_of_account
from services.sync.workers.shepherd import Shepherd
from services.sync.world import World
from shared.contracts.account import AccountState
from shared.db import putting_off

log = structlog.get_logger()

_POLL_SECONDS = 5.0
_GATHER_SECONDS = 0.25
_TIDY_SECONDS = 10.0
_MEASURE_SECONDS = 30.0
_TOMBSTONE_DAYS = 90
_USE_DAYS = 30
_REST_DAYS = 7
_DRAFT_DAYS = 7
_INTENT_DAYS = 2
_GRANT_DAYS = 2  # of a consent whose account never came
_INTENT_EXPIRES = timedelta(days=1)  # what nobody could begin for so long is given up
_KEEPSAKE_AGE = timedelta(days=2)  # looked at for a day


async def file_copies(world: World, shepherd: Shepherd) -> None:
    """Put sent messages into Sent and drafts into Drafts, account by account."""

    async def once() -> bool:
        # Who sends one message sends others: they go over one connection.
        await asyncio.sleep(_GATHER_SECONDS)
        async with world.pool.acquire() as connection:
            sent = await sent_copies.due(connection, world.replica_id)
            drafts = await draft_copies.due(connection, world.replica_id)
        for account_id in sent.keys() | drafts.keys():
            due = Due(sent=sent.get(account_id, []), drafts=drafts.get(account_id, []))
            await file_copies_of_account(account_id, due, world, shepherd)
        return bool(sent or drafts)

    await _for_ever("copies", once, world.copy_asked, _POLL_SECONDS)


async def retell(world: World) -> None:
    """Tell again what a listener asked for, page by page."""

    async def once() -> bool:
        return await tell_again(world.bus, world.pool)

    await _for_ever("retelling", once, world.retelling_asked, _POLL_SECONDS)


async def rethread(world: World) -> None:
    """Make threads anew where an operator asked for it, page by page."""

    async def once() -> bool:
        async with world.pool.acquire() as connection:
            wish = await rethreadings.next_one(connection, world.replica_id)
        if wish is None:
            return False
        try:
            await rethread_account(wish, world.pool)
        except LeaseLost:
            log.info("lease lost", account_id=str(wish.lease.account_id))
        world.relay.wake()
        return True

    await _for_ever("rethreading", once, asyncio.Event(), _POLL_SECONDS)


async def tidy(world: World) -> None:
    """Rows of removed accounts, and tombstones that have done their work."""

    async def once() -> bool:
        async with world.pool.acquire() as connection:
            await messages.forget_tombstones(connection, _TOMBSTONE_DAYS)
            await standing.forget_old_use(connection, _USE_DAYS)
            await hosts.forget_old(connection, _REST_DAYS)
            await draft_copies.forget_old(connection, _DRAFT_DAYS)
            await grants.forget_unadopted(connection, _GRANT_DAYS)
            await keepsakes.give_up_old(connection, _KEEPSAKE_AGE)
        return await forget_account(world.pool)

    await _for_ever("tidying", once, world.removed, _TIDY_SECONDS)


async def revoke(world: World) -> None:
    """End the consents of removed accounts at their providers."""

    async def once() -> bool:
        return await revoke_consents(world.settings, world.keys, world.pool)

    await _for_ever("revoking", once, world.consents_left, _TIDY_SECONDS)


async def measure(world: World) -> None:
    """How well what is kept is proven, whoever keeps it."""

    async def once() -> bool:
        async with world.pool.acquire() as connection:
            standing = await audits.standing(connection)
            states = await accounts.count_by_state(connection)
        for state in AccountState:
            ACCOUNT_STATES.labels(state.value).set(states.get(state, 0))
        UNPROVEN.set(standing.unproven_messages)
        OLDEST_PROOF_SECONDS.set(standing.oldest_proof_seconds)
        return False

    await _for_ever("measuring", once, asyncio.Event(), _MEASURE_SECONDS)


async def _for_ever(
    name: str, once: Callable[[], Awaitable[bool]], wake: asyncio.Event, seconds: float
) -> None:
    """Do it while there is something to do; then wait for a wake or the next look."""
    while True:
        wake.clear()
        # A database or bus that is away comes back; anything else is a bug to see.
        try:
            with putting_off(name):
                if await once():
                    continue
        except nats.errors.Error as error:
            log.warning("put off", what=name, error=str(error))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await wake.wait()

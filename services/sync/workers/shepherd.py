"""Which accounts this replica keeps: leases taken, given back, and followed."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import structlog

from services.sync.domain.backoff import start_delay
from services.sync.metrics import ACCOUNTS
from services.sync.store import connections, leases, standing
from services.sync.store.leases import Lease, LeaseLost
from services.sync.workers.keeper import Keeper
from services.sync.world import World
from shared.db import is_away, is_busy, putting_off
from shared.telemetry import end

log = structlog.get_logger()

_LENT_SECONDS = 3.0  # who asked for the connection has taken it by then


class Shepherd:
    """Keeps a fair share of all accounts, each by a task of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._checked: dict[UUID, datetime] = {}  # the wish for a look that was passed on
        self._kept: dict[UUID, tuple[Keeper, asyncio.Task[None]]] = {}

    @property
    def accounts(self) -> set[UUID]:
        """The accounts that are being kept here."""
        return set(self._kept)

    def wake(self, account_id: UUID) -> None:
        """Look at this account now, if it is ours."""
        if account_id in self._kept:
            self._kept[account_id][0].wake.set()

    async def hang_up(self, account_id: UUID) -> None:
        """Close our connections to this account's server; the next look opens them again."""
        if account_id in self._kept:
            await end([self._kept[account_id][1]])

    async def run(self) -> None:
        """For ever: say that we live, take what is free, give back what is too much."""
        beating = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            while True:
                self._world.accounts_changed.clear()
                with putting_off("leases"):
                    await self._look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._world.settings.heartbeat_seconds):
                        await self._world.accounts_changed.wait()
                if beating.done():
                    beating.result()
        finally:
            await end([beating])
            await self._let_go()

    async def _beat(self) -> None:
        """A heart does not wait for anything else: not for a server that is slow to say goodbye."""
        settings = self._world.settings
        while True:
            with putting_off("heartbeat"):
                async with self._world.pool.acquire() as connection:
                    await leases.beat(connection, self._world.replica_id)
                    await leases.bury_silent(connection, settings.lease_seconds)
            await asyncio.sleep(settings.heartbeat_seconds)

    async def _look(self) -> None:
        settings = self._world.settings
        me = self._world.replica_id
        async with self._world.pool.acquire() as connection:
            await leases.beat(connection, me)
            share = min(await leases.share(connection, me), settings.accounts_per_replica)
            held = await leases.held(connection, me)
            if len(held) < share:
                await leases.claim(connection, me, share - len(held))
                held = await leases.held(connection, me)
            checks = await standing.checks_asked(connection, me)
        ours = {lease.account_id: lease for lease in held}
        await self._end(
            account_id
            for account_id, (keeper, task) in self._kept.items()
            if task.done() or ours.get(account_id) != keeper.lease
        )
        if too_many := held[share:]:
            await self._end(lease.account_id for lease in too_many)
            async with self._world.pool.acquire() as connection:
                for lease in too_many:
                    await leases.release(connection, lease)
                    ours.pop(lease.account_id)
        new = [lease for account_id, lease in ours.items() if account_id not in self._kept]
        for lease in new:
            # A thousand accounts taken over do not all sign in within one second.
            never_kept = lease.fence == 1
            self._begin(lease, start_delay(lease.account_id, len(new), new=never_kept))
        for account_id, asked_at in checks.items():
            if self._checked.get(account_id) != asked_at:
                self._checked[account_id] = asked_at
                self.wake(account_id)
        for account_id in self._world.followed.take_new():
            self.wake(account_id)
        await self._lend()
        ACCOUNTS.set(len(self._kept))

    async def _lend(self) -> None:
        """Hang up where somebody waits for the only connection, and call again after a while."""
        wanted = self._world.to_lend & self._kept.keys()
        self._world.to_lend.clear()
        lent = [self._kept[account_id][0].lease for account_id in wanted]
        await self._end(wanted)
        for lease in lent:
            self._begin(lease, _LENT_SECONDS)

    def _begin(self, lease: Lease, delay: float) -> None:
        keeper = Keeper(lease, self._world)
        task = asyncio.create_task(self._keep(keeper, delay), name=f"keep {lease.account_id}")
        self._kept[lease.account_id] = (keeper, task)

    async def _keep(self, keeper: Keeper, delay: float) -> None:
        """One account's trouble is not the others': whatever happens, it is begun anew."""
        try:
            await keeper.run(delay)
        except LeaseLost:
            log.info("lease lost", account_id=str(keeper.lease.account_id))
        except Exception as error:
            if is_away(error) or is_busy(error):
                log.warning(
                    "account left", account_id=str(keeper.lease.account_id), error=str(error)
                )
            else:
                log.exception("account failed", account_id=str(keeper.lease.account_id))
            # Not at once: what failed now would fail again.
            await asyncio.sleep(self._world.settings.retry_seconds)

    async def _end(self, account_ids: Iterable[UUID]) -> None:
        ending = {one: self._kept.pop(one)[1] for one in list(account_ids) if one in self._kept}
        for account_id in ending:
            self._checked.pop(account_id, None)
        if not ending:
            return
        await end(ending.values())
        # One that ended in the very moment in which it took a slot does not know that it has one.
        with putting_off("giving back connections"):
            async with self._world.pool.acquire() as connection:
                await connections.release_own(
                    connection, list(ending), connections.LISTEN, self._world.replica_id
                )

    async def _let_go(self) -> None:
        await self._end(self._kept)
        # Silent for long enough, others take over all the same.
        with putting_off("giving back leases"):
            async with asyncio.timeout(5), self._world.pool.acquire() as connection:
                await leases.retire(connection, self._world.replica_id)

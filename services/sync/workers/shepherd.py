"""Which accounts this replica keeps: leases taken, given back, and followed."""

import asyncio
import contextlib
from uuid import UUID

import structlog

from services.sync.metrics import ACCOUNTS
from services.sync.store import leases
from services.sync.store.leases import Lease, LeaseLost
from services.sync.workers.keeper import Keeper
from services.sync.world import World
from shared.db import is_away

log = structlog.get_logger()


class Shepherd:
    """Keeps a fair share of all accounts, each by a task of its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._first_copies = asyncio.Semaphore(world.settings.first_copies_at_once)
        self._kept: dict[UUID, tuple[Keeper, asyncio.Task[None]]] = {}

    @property
    def accounts(self) -> set[UUID]:
        """The accounts that are being kept here."""
        return set(self._kept)

    def wake(self, account_id: UUID) -> None:
        """Look at this account now, if it is ours."""
        if account_id in self._kept:
            self._kept[account_id][0].wake.set()

    async def run(self) -> None:
        """For ever: say that we live, take what is free, give back what is too much."""
        settings = self._world.settings
        try:
            while True:
                self._world.accounts_changed.clear()
                try:
                    await self._look()
                except Exception as error:
                    if not is_away(error):
                        raise
                    log.warning("leases not seen to", error=str(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(settings.heartbeat_seconds):
                        await self._world.accounts_changed.wait()
        finally:
            await self._let_go()

    async def _look(self) -> None:
        settings = self._world.settings
        me = self._world.replica_id
        async with self._world.pool.acquire() as connection:
            await leases.beat(connection, me)
            await leases.bury_silent(connection, settings.lease_seconds)
            share = min(await leases.fair_share(connection), settings.accounts_per_replica)
            held = await leases.held(connection, me)
            if len(held) < share:
                await leases.claim(connection, me, share - len(held))
                held = await leases.held(connection, me)
        ours = {lease.account_id: lease for lease in held}
        for account_id, (keeper, task) in list(self._kept.items()):
            if task.done() or ours.get(account_id) != keeper.lease:
                await self._end(account_id)
        # One more than the share is kept, or accounts would wander whenever the count is odd.
        for lease in held[share + 1 :]:
            await self._end(lease.account_id)
            async with self._world.pool.acquire() as connection:
                await leases.release(connection, lease)
            ours.pop(lease.account_id)
        for account_id, lease in ours.items():
            if account_id not in self._kept:
                self._begin(lease)
        ACCOUNTS.set(len(self._kept))

    def _begin(self, lease: Lease) -> None:
        keeper = Keeper(lease, self._world, self._first_copies)
        task = asyncio.create_task(self._keep(keeper), name=f"keep {lease.account_id}")
        self._kept[lease.account_id] = (keeper, task)

    async def _keep(self, keeper: Keeper) -> None:
        """One account's trouble is not the others': whatever happens, it is begun anew."""
        try:
            await keeper.run()
        except LeaseLost:
            log.info("lease lost", account_id=str(keeper.lease.account_id))
        except Exception as error:
            if is_away(error):
                log.warning(
                    "account left", account_id=str(keeper.lease.account_id), error=str(error)
                )
            else:
                log.exception("account failed", account_id=str(keeper.lease.account_id))
            # Not at once: what failed now would fail again.
            await asyncio.sleep(self._world.settings.retry_seconds)

    async def _end(self, account_id: UUID) -> None:
        kept = self._kept.pop(account_id, None)
        if kept is not None:
            kept[1].cancel()
            await asyncio.gather(kept[1], return_exceptions=True)

    async def _let_go(self) -> None:
        for account_id in list(self._kept):
            await self._end(account_id)
        try:
            async with asyncio.timeout(5), self._world.pool.acquire() as connection:
                await leases.retire(connection, self._world.replica_id)
        except Exception as error:
            # Silent for long enough, others take over all the same.
            if not is_away(error):
                raise
            log.warning("leases not given back", error=str(error))

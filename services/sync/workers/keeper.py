"""One account, from signing in to the day it is removed.

    connecting ──signed in──> syncing ──every mailbox read──> live ──┐
        ^                        ^                              │    │ IDLE wakes, or a poll
        │                        └──────── a round owes ────────┘<───┘
        └── auth_failed (waits for a new password, looks again hourly)
        └── reauth_required (waits for a new consent)
        └── unreachable (tried again, later each time)
        └── paused (its owner wants the server left alone: then nobody keeps it)

Everything written goes through the lease: whoever lost it fails at its next write.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import structlog

from services.sync.actions.give_back_slot import give_back_slot
from services.sync.actions.learn_connections import learn_connections
from services.sync.actions.note_doing import note_doing
from services.sync.actions.note_signed_in import note_signed_in
from services.sync.actions.note_well import note_well
from services.sync.actions.rest_account import rest_account
from services.sync.actions.sign_in import sign_in
from services.sync.actions.take_turn import Wait, take_turn
from services.sync.domain.budget import budget_of
from services.sync.domain.profile import choose
from services.sync.domain.tokens import TokenError
from services.sync.imap.errors import ImapError
from services.sync.imap.session import Session
from services.sync.store import accounts
from services.sync.store.accounts import Account, Doing
from services.sync.store.connections import LISTEN, Slot
from services.sync.store.leases import Lease
from services.sync.workers.carrying import Carrier
from services.sync.workers.copying import Copier
from services.sync.workers.meter import Meter
from services.sync.workers.rounds import Rounds
from services.sync.workers.trouble import HINDRANCES, Hindrance, trouble_of
from services.sync.world import World
from shared.contracts.account import AccountState

log = structlog.get_logger()

#: Below it, deflating costs both ends more than the line does.
_WORTH_COMPRESSING_SECONDS = 0.01


class Keeper:
    """Keeps one account for as long as its lease holds."""

    def __init__(self, lease: Lease, world: World) -> None:
        self.lease = lease
        self.wake = world.calls.of(lease.account_id)
        self._world = world
        self._copier = Copier(lease, world)
        self._carrier = Carrier(lease, world)

    async def run(self, delay: float = 0.0) -> None:
        """Until cancelled, or until the account is gone; raises LeaseLost.

        `delay`: seconds before the first sign-in, unless somebody wants a look sooner.
        """
        try:
            if delay:
                await self._waited(delay)
            await self._stay()
        finally:
            self._world.calls.forget(self.lease.account_id, self.wake)

    async def _stay(self) -> None:
        while True:
            async with self._world.pool.acquire() as connection:
                account = await accounts.account(connection, self.lease.account_id)
            if account is None:
                return
            self.wake.clear()
            self.wake.take_carry()  # each session begins with it
            turn = await self._turn(account, alone=True)
            if isinstance(turn, Wait):
                await self._wait(turn)
                continue
            try:
                await self._keep(account, turn)
            except HINDRANCES as error:
                await self._rest(account, error, turn)
            finally:
                await give_back_slot(turn, self._world.pool)

    async def _turn(self, account: Account, *, alone: bool) -> Slot | Wait:
        return await take_turn(
            account,
            LISTEN,
            self._world.replica_id,
            self._world.settings,
            self._world.pool,
            alone=alone,
        )

    async def _wait(self, wait: Wait) -> None:
        """Somebody waits already: for this account, or for all that use its server."""
        if wait.of_host:
            await self._note(Doing(state=AccountState.UNREACHABLE, reason=wait.reason))
        await self._waited(max(0.5, (wait.until - datetime.now(UTC)).total_seconds()))

    async def _rest(self, account: Account, error: Hindrance, slot: Slot) -> None:
        """Say what is wrong; how long to wait is remembered, and asked before the next try."""
        trouble = trouble_of(error, account.endpoint.host)
        rested = await rest_account(account, trouble, slot, self._world.settings, self._world.pool)
        if rested.worth_telling:
            await self._note(
                Doing(state=trouble.state, reason=trouble.reason, server_said=trouble.server_said)
            )
        log.info(
            "account rests",
            account_id=str(account.account_id),
            state=trouble.state.value,
            reason=trouble.reason,
            error=type(error).__name__,
            seconds=round(rested.seconds, 1),
        )

    async def _note(self, doing: Doing) -> None:
        if await note_doing(self.lease, doing, self._world.pool):
            self._world.relay.wake()

    async def _waited(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.wake.wait()
        except TimeoutError:
            return

    # -- one session ---------------------------------------------------------------------------

    async def _keep(self, account: Account, slot: Slot) -> None:
        async with self._session(account) as session, AsyncExitStack() as others:
            name = session.server.get("name")
            chosen = await note_signed_in(
                account,
                self._world.release,
                self._world.pool,
                chosen=choose(account.endpoint.host, name, session.capabilities),
                server_name=name,
            )
            meter = Meter(
                account,
                budget_of(
                    chosen,
                    connections=self._world.settings.connections_per_account,
                    bytes_per_day=self._world.settings.account_bytes_per_day,
                    commands_per_day=self._world.settings.account_commands_per_day,
                ),
                self._world.pool,
            )
            beside: list[Session] = []

            async def second() -> Session | None:
                """One more connection, for a first copy; None where the account may have none."""
                if beside and not beside[0].lost:
                    return beside[0]
                beside.clear()
                await others.aclose()
                opened = await others.enter_async_context(self._beside(account))
                if opened is not None:
                    beside.append(opened)
                return opened

            async def well() -> None:
                beside.clear()
                await others.aclose()
                await meter.write(now=True)
                await note_well(account, self._world.pool)

            rounds = Rounds(
                self.lease,
                self._world,
                session,
                self._copier,
                self._carrier,
                self.wake,
                second,
                meter,
                idle_seconds=chosen.profile.idle_seconds,
            )
            try:
                await rounds.run(well)
            finally:
                await meter.write(now=True)

    @asynccontextmanager
    async def _session(self, account: Account) -> AsyncGenerator[Session]:
        world = self._world
        async with sign_in(
            account, world.settings, world.keys, world.pool, world.refresher
        ) as session:
            if session.round_trip > _WORTH_COMPRESSING_SECONDS:
                await session.compress()
            await session.enable()
            yield session

    @asynccontextmanager
    async def _beside(self, account: Account) -> AsyncGenerator[Session | None]:
        """A second session, if the account may have one and the server agrees."""
        turn = await self._turn(account, alone=False)
        if isinstance(turn, Wait):
            yield None
            return
        try:
            async with AsyncExitStack() as opened:
                try:
                    session = await opened.enter_async_context(self._session(account))
                except (ImapError, TokenError) as error:
                    # One connection is enough; that the server allows no more we remember.
                    log.info("no second connection", error=str(error))
                    if trouble_of(error, account.endpoint.host).refuses_connection:
                        await learn_connections(account, turn, self._world.pool)
                    session = None
                yield session
        finally:
            await give_back_slot(turn, self._world.pool)

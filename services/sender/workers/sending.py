"""The attempts of one process: whose turn it is, and how many at a time."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from services.sender import store
from services.sender.actions.attempt_submission import Hand, attempt_submission
from services.sender.actions.claim_due import Due, claim_due
from services.sender.actions.outcomes import Register
from services.sender.metrics import ATTEMPT_SECONDS, ATTEMPTS_RUNNING, SESSIONS_IDLE
from services.sender.smtp import Sessions
from services.sender.world import World
from shared.contracts.submission import SubmissionState
from shared.db import putting_off
from shared.telemetry import end

log = structlog.get_logger()

# What ends within this time is followed by one claim and not by one each.
_BETWEEN_CLAIMS_SECONDS = 0.02
_MOST_SENDERS = 5000

_FATE_LABELS = {
    SubmissionState.ACCEPTED: "accepted",
    SubmissionState.PARTIALLY_ACCEPTED: "accepted",
    SubmissionState.DEFERRED: "deferred",
    SubmissionState.UNCERTAIN: "uncertain",
}


class Sending:
    """Claims what is due, in turns, and attempts it, at most so many at a time."""

    def __init__(self, world: World, sessions: Sessions) -> None:
        settings = world.settings
        self._world = world
        self._sessions = sessions
        self._lease = timedelta(seconds=settings.lease_seconds)
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._busy: Counter[UUID] = Counter()  # attempts under way, by account
        self._looked_at = float("-inf")
        self._next_due_at: datetime | None = None
        self._hand = Hand(
            pool=world.pool,
            keys=world.keys,
            sessions=sessions,
            register=Register(world.pool, self._lease),
            tokens=world.tokens,
        )

    @classmethod
    @asynccontextmanager
    async def opened(cls, world: World) -> "AsyncGenerator[Sending]":
        """Ready to send; at the end the kept sessions are left."""
        settings = world.settings
        async with world.pool.acquire() as connection:
            limits = await store.session_limits(connection)
        sessions = Sessions(
            policy=settings.dial_policy,
            patience=settings.patience,
            helo_name=settings.helo_name,
            idle_seconds=settings.session_idle_seconds,
            most_idle=settings.sessions_idle,
            limits=limits,
        )
        try:
            yield cls(world, sessions)
        finally:
            await sessions.close()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and attempt what is due until told to stop; wait for what is under way."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._world.due.clear()
                if self._world.settings.sending_enabled:
                    await self._look()
                    await self._claim()
                await self._pause(stopping)
        finally:
            stopping.cancel()
            await self._finish()

    async def keep_leases(self, world: World) -> None:
        """Say that we are alive, for every attempt under way."""
        if self._running:
            async with world.pool.acquire() as connection:
                await store.keep_leases(
                    connection, world.replica_id, list(self._running), self._lease
                )

    async def part_from_idle(self, world: World) -> None:
        """Leave sessions that wait in vain."""
        self._sessions.part_from_idle()
        SESSIONS_IDLE.set(self._sessions.idle)

    async def _look(self) -> None:
        """See who has something due that nobody told us of: its time came, or others froze it."""
        now = asyncio.get_running_loop().time()
        came = self._next_due_at is not None and self._next_due_at <= datetime.now(UTC)
        if not came and now < self._looked_at + self._world.settings.poll_seconds:
            return
        with putting_off("looking for due submissions"):
            async with self._world.pool.acquire() as connection:
                self._world.turns.add(await store.senders_with_due(connection, _MOST_SENDERS))
                self._next_due_at = await store.next_due_at(connection)
        self._looked_at = now

    async def _claim(self) -> None:
        settings, turns = self._world.settings, self._world.turns
        per_account = settings.attempts_at_once_per_account
        free = settings.attempts_at_once - len(self._running)
        wanted = turns.take(free, lambda account_id: per_account - self._busy[account_id])
        if not wanted:
            return
        for sender in wanted:
            turns.remove(sender)  # and whoever freezes something meanwhile adds it again
        unknown = set(wanted)
        with putting_off("taking what is due"):
            claimed = await claim_due(
                wanted,
                owner=self._world.replica_id,
                lease=self._lease,
                per_account=per_account,
                limits=settings.limits,
                pool=self._world.pool,
            )
            unknown -= claimed.exhausted
            for due in claimed.due:
                self._begin(due)
            if claimed.due:
                self._world.relay.wake()
        turns.add(sender for sender in wanted if sender in unknown)

    def _begin(self, due: Due) -> None:
        submission = due.submission
        task = asyncio.create_task(self._attempt(due), name=f"attempt {submission.submission_id}")
        self._running[submission.submission_id] = task
        self._busy[submission.account_id] += 1
        ATTEMPTS_RUNNING.inc()
        task.add_done_callback(lambda _: self._ended(due))

    async def _attempt(self, due: Due) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        submission = due.submission
        with structlog.contextvars.bound_contextvars(
            tenant_id=str(submission.tenant_id), submission_id=str(submission.submission_id)
        ):
            try:
                after = await attempt_submission(due, self._hand)
            except Exception:
                # Nothing is lost: the lease ends, and then it is begun anew or, where the dot
                # was due, called uncertain.
                log.exception("attempt ended without a trace")
                return
            if after is not None:
                label = _FATE_LABELS.get(after.state, "refused")
                ATTEMPT_SECONDS.labels(label).observe(loop.time() - began)
                log.info(
                    "attempt ended",
                    state=after.state.value,
                    attempts=after.attempts,
                    reason=after.reason,
                )
        self._world.relay.wake()

    def _ended(self, due: Due) -> None:
        submission = due.submission
        del self._running[submission.submission_id]
        self._busy[submission.account_id] -= 1
        if not self._busy[submission.account_id]:
            del self._busy[submission.account_id]
        ATTEMPTS_RUNNING.dec()
        self._world.due.set()

    async def _pause(self, stopping: asyncio.Task[bool]) -> None:
        """Until there may be something to claim, but long enough for several to end."""
        await asyncio.wait({stopping}, timeout=_BETWEEN_CLAIMS_SECONDS)
        wait_for = self._world.settings.poll_seconds
        if self._next_due_at is not None:
            until = (self._next_due_at - datetime.now(UTC)).total_seconds()
            wait_for = min(wait_for, max(until, 0.0))
        due = asyncio.create_task(self._world.due.wait())
        await asyncio.wait({due, stopping}, timeout=wait_for, return_when=asyncio.FIRST_COMPLETED)
        due.cancel()

    async def _finish(self) -> None:
        running = set(self._running.values())
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=self._world.settings.stop_seconds)
        await end(late)

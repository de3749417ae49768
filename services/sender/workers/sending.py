"""The attempts of one process: whose turn it is, and how many at a time."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import structlog

from services.sender import store
from services.sender.actions.attempt_submission import Hand, attempt_submission
from services.sender.actions.claim_due import claim_due
from services.sender.actions.outcomes import Register
from services.sender.actions.taking import Due
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
        self._world = world
        self._sessions = sessions
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._looked_at = float("-inf")
        self._next_due_at: datetime | None = None
        self._hand = Hand(
            pool=world.pool,
            keys=world.keys,
            sessions=sessions,
            register=Register(world.pool, world.terms.lease),
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
            most_idle_per_server=settings.sessions_idle_per_server,
            limits=limits,
        )
        try:
            yield cls(world, sessions)
        finally:
            await sessions.close()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and attempt what is due until told to stop; wait for what is under way."""
        stopping = asyncio.create_task(stop.wait())
        if self._world.settings.sending_enabled:
            self._world.room.open(self._begin)
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
                    connection, world.terms.owner, list(self._running), world.terms.lease
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
        turns, room = self._world.turns, self._world.room
        wanted = turns.take(room.free, room.free_of)
        if not wanted:
            return
        for sender, count in wanted.items():
            turns.remove(sender)  # and whoever freezes something meanwhile adds it again
            room.enter(sender.account_id, count)
        unknown = set(wanted)
        unused = Counter({sender.account_id: count for sender, count in wanted.items()})
        try:
            with putting_off("taking what is due"):
                claimed = await claim_due(wanted, terms=self._world.terms, pool=self._world.pool)
                unknown -= claimed.exhausted
                for due in claimed.due:
                    unused[due.account.account_id] -= 1
                    self._begin(due)
                if claimed.due:
                    self._world.relay.wake()
        finally:
            for account_id, count in unused.items():
                if count:
                    room.leave(account_id, count)
        turns.add(sender for sender in wanted if sender in unknown)

    def _begin(self, due: Due) -> None:
        submission = due.submission
        task = asyncio.create_task(self._attempt(due), name=f"attempt {submission.submission_id}")
        self._running[submission.submission_id] = task
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
        self._world.room.leave(submission.account_id)
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
        room = self._world.room
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._world.settings.stop_seconds):
                await room.close()
        room.shut()
        await end(set(self._running.values()))

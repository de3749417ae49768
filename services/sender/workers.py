"""What sender does without being told: send what is due, keep its leases, tidy up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import structlog

from services.sender import store
from services.sender.actions.attempt_submission import Hand, attempt_submission
from services.sender.actions.gather_letters import gather_letters
from services.sender.actions.purge_mime import purge_mime
from services.sender.actions.remove_account import sweep_removed_accounts
from services.sender.actions.settle_interrupted import settle_interrupted
from services.sender.domain.submission import Submission
from services.sender.metrics import (
    ATTEMPT_SECONDS,
    ATTEMPTS_RUNNING,
    OLDEST_SUBMISSION_SECONDS,
    SUBMISSIONS_INTERRUPTED,
    SUBMISSIONS_UNCERTAIN,
    SUBMISSIONS_WAITING,
)
from services.sender.world import World
from shared.contracts.submission import SubmissionState
from shared.db import putting_off
from shared.telemetry import end

log = structlog.get_logger()

_SETTLE_EVERY_SECONDS = 5.0
_TIDY_EVERY_SECONDS = 60.0
_COUNT_EVERY_SECONDS = 15.0
_AWAY_SECONDS = 1.0

_FATE_LABELS = {
    SubmissionState.ACCEPTED: "accepted",
    SubmissionState.PARTIALLY_ACCEPTED: "accepted",
    SubmissionState.DEFERRED: "deferred",
    SubmissionState.UNCERTAIN: "uncertain",
}


async def work(world: World, stop: asyncio.Event) -> None:
    """Work until told to stop; then begin nothing and end what was begun."""
    sending = Sending(world)
    loops = [
        asyncio.create_task(_every(seconds, each, world))
        for seconds, each in (
            (world.settings.lease_seconds / 4, sending.keep_leases),
            (_SETTLE_EVERY_SECONDS, _settle),
            (_TIDY_EVERY_SECONDS, _tidy),
            (_COUNT_EVERY_SECONDS, _count),
        )
    ]
    loops.append(asyncio.create_task(_compose(world)))
    for loop in loops:
        # One that fails ends the process, in good order: what is being handed over is.
        loop.add_done_callback(lambda _: stop.set())
    try:
        await sending.run(stop)
        for loop in loops:
            if loop.done():
                loop.result()
    finally:
        await end(loops)


class Sending:
    """The attempts of this process: at most so many at a time, each under a lease."""

    def __init__(self, world: World) -> None:
        settings = world.settings
        self._world = world
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._hand = Hand(
            pool=world.pool,
            keys=world.keys,
            policy=settings.dial_policy,
            patience=settings.patience,
            helo_name=settings.helo_name,
            lease=timedelta(seconds=settings.lease_seconds),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and attempt what is due until told to stop; wait for what is under way."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._world.due.clear()
                await self._claim()
                await self._until_due(stopping)
        finally:
            stopping.cancel()
            await self._finish()

    async def keep_leases(self, world: World) -> None:
        """Say that we are alive, for every attempt under way."""
        if self._running:
            async with world.pool.acquire() as connection:
                await store.keep_leases(
                    connection, world.replica_id, list(self._running), self._hand.lease
                )

    async def _claim(self) -> None:
        settings = self._world.settings
        free = settings.attempts_at_once - len(self._running)
        if not settings.sending_enabled or free <= 0:
            return
        claimed: list[Submission] = []
        with putting_off("looking for due submissions"):
            async with self._world.pool.acquire() as connection, connection.transaction():
                claimed = await store.claim(
                    connection,
                    self._world.replica_id,
                    limit=free,
                    per_account=settings.attempts_at_once_per_account,
                    lease=self._hand.lease,
                )
        for submission in claimed:
            task = asyncio.create_task(
                self._attempt(submission), name=f"attempt {submission.submission_id}"
            )
            self._running[submission.submission_id] = task
            ATTEMPTS_RUNNING.inc()
            task.add_done_callback(lambda _, key=submission.submission_id: self._ended(key))

    async def _until_due(self, stopping: asyncio.Task[bool]) -> None:
        due = asyncio.create_task(self._world.due.wait())
        await asyncio.wait(
            {due, stopping},
            timeout=self._world.settings.poll_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        due.cancel()

    async def _attempt(self, submission: Submission) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with structlog.contextvars.bound_contextvars(
            tenant_id=str(submission.tenant_id), submission_id=str(submission.submission_id)
        ):
            try:
                after = await attempt_submission(submission, self._hand)
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

    def _ended(self, submission_id: UUID) -> None:
        del self._running[submission_id]
        ATTEMPTS_RUNNING.dec()
        self._world.due.set()

    async def _finish(self) -> None:
        running = set(self._running.values())
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=self._world.settings.stop_seconds)
        await end(late)


async def _every(seconds: float, each: Callable[[World], Awaitable[None]], world: World) -> None:
    """Do this again and again, also after the database was away."""
    while True:
        pause = _AWAY_SECONDS
        with putting_off(each.__name__):
            await each(world)
            pause = seconds
        await asyncio.sleep(pause)


async def _compose(world: World) -> None:
    """Compose what waits for its files, one after the other."""
    while True:
        world.letters.clear()
        more = False
        with putting_off("composing"):
            more = await gather_letters(world.bus, world.pool)
        if more:
            world.relay.wake()
            world.due.set()
            continue
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(world.settings.poll_seconds):
                await world.letters.wait()


async def _settle(world: World) -> None:
    settled = await settle_interrupted(world.pool)
    for submission in settled:
        log.warning(
            "submission interrupted",
            submission_id=str(submission.submission_id),
            state=submission.state.value,
        )
    if settled:
        SUBMISSIONS_INTERRUPTED.inc(len(settled))
        world.relay.wake()


async def _tidy(world: World) -> None:
    settings = world.settings
    await sweep_removed_accounts(world.pool)
    await purge_mime(
        world.pool,
        kept_for=timedelta(days=settings.mime_kept_days),
        unfiled_kept_for=timedelta(days=settings.unfiled_mime_kept_days),
    )


async def _count(world: World) -> None:
    async with world.pool.acquire() as connection:
        waiting = await store.waiting(connection)
    SUBMISSIONS_WAITING.set(waiting.submissions)
    OLDEST_SUBMISSION_SECONDS.set(waiting.oldest_seconds)
    SUBMISSIONS_UNCERTAIN.set(waiting.uncertain)

"""One attempt to hand a message over, and what it came to."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from services.sender import store
from services.sender.domain.fate import Answer, Stage
from services.sender.domain.submission import Submission, after_attempt, is_expired
from services.sender.smtp import Envelope, Patience, Phase, SubmitError, open_session
from shared.bus import tell
from shared.contracts.submission import FileSentCopy
from shared.db import Connection, Pool, in_transaction, is_away, putting_off
from shared.dial import Policy
from shared.seal import Destination, OpeningKeys, SealError, open_sealed, reseal

log = structlog.get_logger()

_AWAY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What it takes to hand a message over."""

    pool: Pool
    keys: OpeningKeys
    policy: Policy
    patience: Patience
    helo_name: str | None
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """How an attempt ended, for the recipients it spoke for."""

    answers: Sequence[Answer]
    phase: Phase | None
    reason: str | None = None
    words: str | None = None


class _LeaseLost(Exception):
    """Another process took this submission; nothing was handed over by us."""


async def attempt_submission(submission: Submission, hand: Hand) -> Submission | None:
    """Hand a claimed submission over, once, and write down what became of it.

    None when it is no longer ours. The dot is preceded by a commit that says so; whatever
    goes wrong after that commit leaves `uncertain`, never a second sending.
    """
    began = time.monotonic()
    attempt = _Attempt(submission, hand)
    async with AsyncExitStack() as stack:
        try:
            ended = await attempt.run(stack)
        except asyncio.CancelledError:
            # We are being stopped. Past the commit the lease runs out and says `uncertain`.
            await _give_back(submission, hand.pool)
            raise
        except _LeaseLost:
            log.warning("lease lost", submission_id=str(submission.submission_id))
            return None
        except Exception as error:  # noqa: BLE001 - becomes the outcome, after the dot an uncertain one
            ended = attempt.broken(error)
        # The session is left (QUIT) only after the outcome is safe.
        took = timedelta(seconds=time.monotonic() - began)
        return await _record(submission, ended, took, hand.pool)


class _Attempt:
    """One attempt, and how far it came."""

    def __init__(self, submission: Submission, hand: Hand) -> None:
        self._submission = submission
        self._hand = hand
        self._stage = Stage.BEFORE_DOT
        self._recipients = submission.open_recipients
        self._taken: frozenset[int] = frozenset()

    async def run(self, stack: AsyncExitStack) -> _Ended:
        submission, hand = self._submission, self._hand
        if is_expired(submission, datetime.now(UTC)):
            return self._silence("expired", None, phase=None)
        async with hand.pool.acquire() as connection:
            account = await store.account(connection, submission.tenant_id, submission.account_id)
            mime = await store.mime(connection, submission)
        if account is None:
            return self._silence("account_removed", None, phase=None)
        try:
            password = await self._password(account)
            session = await stack.enter_async_context(
                open_session(
                    account.endpoint,
                    password,
                    policy=hand.policy,
                    patience=hand.patience,
                    helo_name=hand.helo_name,
                )
            )
        except SealError as shut:
            log.error("credential cannot be opened", error=str(shut))
            return self._silence("credential_unusable", None, phase=None)
        except SubmitError as problem:
            return self._silence(problem.code, problem.words, phase=problem.phase)
        envelope = Envelope(
            sender=submission.sender,
            recipients=tuple(one.email for one in self._recipients),
            needs_smtputf8=submission.needs_smtputf8,
        )
        delivery = await session.transact(envelope, mime, self._before_dot)
        problem = delivery.problem
        return _Ended(
            answers=delivery.answers,
            phase=delivery.phase,
            reason=problem.code if problem else None,
            words=problem.words if problem else None,
        )

    def broken(self, error: Exception) -> _Ended:
        """What an error of our own means: as silence of the server at this stage."""
        if is_away(error):
            log.warning("attempt broken off, database away", error=str(error))
            return self._silence("interrupted", None, phase=None)
        log.error(
            "attempt failed",
            submission_id=str(self._submission.submission_id),
            stage=self._stage.value,
            exc_info=error,
        )
        return self._silence("internal_error", None, phase=None)

    def _silence(self, reason: str, words: str | None, *, phase: Phase | None) -> _Ended:
        return _Ended(
            answers=[
                Answer(self._stage if number in self._taken else Stage.BEFORE_DOT)
                for number in range(len(self._recipients))
            ],
            phase=phase,
            reason=reason,
            words=words,
        )

    async def _before_dot(self, answers: Sequence[Answer | None]) -> None:
        numbered = [
            (one.number, answer) for one, answer in zip(self._recipients, answers, strict=True)
        ]

        async def work(connection: Connection) -> bool:
            return await store.begin_transmitting(
                connection, self._submission, numbered, self._hand.lease
            )

        if not await in_transaction(self._hand.pool, work):
            raise _LeaseLost
        self._stage = Stage.AFTER_DOT
        self._taken = frozenset(n for n, answer in enumerate(answers) if answer is None)

    async def _password(self, account: store.Account) -> str:
        """Open the secret for exactly the place we are about to dial."""
        expected = Destination.of(
            account.endpoint,
            tenant_id=account.tenant_id,
            account_id=account.account_id,
            purpose="smtp",
        )
        keys = self._hand.keys
        secret = open_sealed(account.sealed, keys, expected).secret
        resealed = reseal(account.sealed, keys, expected)
        if resealed != account.sealed:
            async with self._hand.pool.acquire() as connection:
                await store.put_resealed(connection, account, resealed)
        return secret


async def _record(
    submission: Submission, ended: _Ended, took: timedelta, pool: Pool
) -> Submission | None:
    """One transaction: fates, log, what is told. Tried until the database takes it.

    A lease may end meanwhile and the submission be called uncertain; as long as nobody
    began it anew (the fence), what we know replaces that.
    """
    answers = {
        one.number: answer
        for one, answer in zip(submission.open_recipients, ended.answers, strict=True)
    }

    async def work(connection: Connection) -> Submission | None:
        held = await store.hold(connection, submission)
        if held is None:
            return None
        now = datetime.now(UTC)
        after = after_attempt(
            held,
            answers,
            reason=ended.reason,
            server_said=ended.words,
            now=now,
            jitter=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )
        await store.put_state(connection, after)
        await store.put_attempt(connection, after, took=took, phase=ended.phase)
        await tell(connection, after.told())
        if after.reached_somebody and not held.reached_somebody:
            await tell(
                connection,
                FileSentCopy(
                    tenant_id=after.tenant_id,
                    account_id=after.account_id,
                    submission_id=after.submission_id,
                    message_id=after.message_id,
                    size_bytes=after.size_bytes,
                    sent_at=now,
                ),
            )
        return after

    while True:
        with putting_off("writing an outcome"):
            return await in_transaction(pool, work)
        await asyncio.sleep(_AWAY_SECONDS)


async def _give_back(submission: Submission, pool: Pool) -> None:
    try:
        async with asyncio.timeout(2), pool.acquire() as connection:
            await store.let_go(connection, submission)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        log.warning("not given back, the lease will end", error=str(error))

"""One attempt to hand a message over, and what it came to."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from services.sender import store
from services.sender.actions.outcomes import Outcome, Register
from services.sender.actions.taking import Due
from services.sender.actions.tokens import Tokens
from services.sender.domain.fate import Answer, Stage
from services.sender.domain.reason import reason_of
from services.sender.domain.session_limit import ends_session, is_over, names_limit
from services.sender.domain.submission import Submission, after_release, is_expired
from services.sender.smtp import (
    Delivery,
    Envelope,
    Login,
    Phase,
    Secret,
    Session,
    Sessions,
    SubmitError,
    Token,
    TokenRefused,
)
from shared.bus import tell
from shared.db import Connection, Pool, in_transaction, is_away, putting_off
from shared.seal import Destination, OpeningKeys, SealError, open_sealed, reseal

log = structlog.get_logger()

_AWAY_SECONDS = 1.0
_GIVE_BACK_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What it takes to hand a message over."""

    pool: Pool
    keys: OpeningKeys
    sessions: Sessions
    register: Register
    tokens: Tokens


class _LeaseLost(Exception):
    """Another process took this submission; nothing was handed over by us."""


async def attempt_submission(due: Due, hand: Hand) -> Submission | None:
    """Hand a claimed submission over, once, and write down what became of it.

    None when it is no longer ours. The dot is preceded by a commit that says so; whatever
    goes wrong after that commit leaves `uncertain`, never a second sending.
    """
    began = time.monotonic()
    attempt = _Attempt(due, hand)
    try:
        outcome = await attempt.run()
    except asyncio.CancelledError:
        # We are being stopped. Past the dot the lease runs out and says `uncertain`.
        attempt.drop()
        if not attempt.dot_may_be_out:
            await _give_back(due.submission, hand.pool)
        raise
    except _LeaseLost:
        attempt.drop()
        log.warning("lease lost", submission_id=str(due.submission.submission_id))
        return None
    except Exception as error:  # noqa: BLE001 - becomes the outcome, after the dot an uncertain one
        attempt.drop()
        outcome = attempt.broken(error)
    # The session is kept for others at once; what became of the message is not its affair.
    attempt.part()
    return await _record(replace(outcome, took=timedelta(seconds=time.monotonic() - began)), hand)


class _Attempt:
    """One attempt, and how far it came."""

    def __init__(self, due: Due, hand: Hand) -> None:
        self._due = due
        self._hand = hand
        self._submission = due.submission
        self._login = Login(
            account_id=due.account.account_id,
            version=due.account.version,
            endpoint=due.account.endpoint,
        )
        self._session: Session | None = None
        self._stage = Stage.BEFORE_DOT
        self._recipients = due.submission.open_recipients
        self._taken: frozenset[int] = frozenset()
        self._session_limit: int | None = None
        self._token: Token | None = None  # that we signed in with
        self._refused: Token | None = None

    @property
    def dot_may_be_out(self) -> bool:
        return self._stage is Stage.AFTER_DOT

    async def run(self) -> Outcome:
        submission = self._submission
        if is_expired(submission, datetime.now(UTC)):
            return self._silence("expired")
        mime = self._due.mime
        if mime is None:
            async with self._hand.pool.acquire() as connection:
                mime = await store.mime(connection, submission)
        envelope = Envelope(
            sender=submission.sender,
            recipients=tuple(one.email for one in self._recipients),
            needs_smtputf8=submission.needs_smtputf8,
        )
        try:
            self._session = await self._signed_in(self._hand.sessions.take)
            await self._learn_size(self._session.largest_bytes)
            delivery = await self._transact(envelope, mime)
        except SealError as shut:
            log.error("credential cannot be opened", error=str(shut))
            return self._unserved("credential_unusable", None, Phase.DIAL)
        except SubmitError as problem:
            return self._unserved(problem.code, problem.words, problem.phase)
        problem = delivery.problem
        reason = problem.code if problem else _reason(delivery.answers)
        return self._outcome(
            delivery.answers,
            phase=delivery.phase,
            reason=reason,
            words=problem.words if problem else None,
            served=True,
        )

    async def _signed_in(
        self, reach: Callable[[Login, Callable[[], Awaitable[Secret]]], Awaitable[Session]]
    ) -> Session:
        """A session; where the server takes a token for ended that should live, with a new one."""
        try:
            return await reach(self._login, self._secret)
        except TokenRefused:
            self._refused = self._token
            return await self._hand.sessions.open(self._login, self._secret)

    async def _learn_size(self, largest: int | None) -> None:
        if self._hand.sessions.says_another_size(self._login, largest):
            async with self._hand.pool.acquire() as connection:
                await store.put_largest_bytes(connection, *self._login.place, largest)

    async def _transact(self, envelope: Envelope, mime: bytes) -> Delivery:
        """Hand it over; in a new session where only the kept one has come to its end.

        That is no second sending: nothing was handed over, and no dot was due.
        """
        session = self._session
        assert session is not None
        before = session.messages
        delivery = await session.transact(envelope, mime, self._before_dot)
        first = delivery.answers[0].reply
        if any(is_over(one.reply) for one in delivery.answers):
            session.drop()  # whoever took it next would be asked the same
        if self.dot_may_be_out or not ends_session(first, messages_before=before):
            return delivery
        if first is not None and not first.asks_to_sign_in:
            named = names_limit(first)
            if self._hand.sessions.learn(self._login, before, named=named):
                self._session_limit = before
        session.drop()
        self._session = session = await self._signed_in(self._hand.sessions.open)
        return await session.transact(envelope, mime, self._before_dot)

    def part(self) -> None:
        """Leave the session to the account's next message."""
        if self._session is not None:
            self._hand.sessions.give_back(self._login, self._session)
            self._session = None

    def drop(self) -> None:
        """Leave the session to nobody: what it would say next is not known."""
        if self._session is not None:
            self._session.drop()
            self._session = None

    def broken(self, error: Exception) -> Outcome:
        """What an error of our own means: as silence of the server at this stage."""
        if is_away(error):
            log.warning("attempt broken off, database away", error=str(error))
            return self._silence("interrupted")
        log.error(
            "attempt failed",
            submission_id=str(self._submission.submission_id),
            stage=self._stage.value,
            exc_info=error,
        )
        return self._silence("internal_error")

    def _unserved(self, reason: str, words: str | None, phase: Phase) -> Outcome:
        """There was no session: nothing speaks of this message."""
        answers = [Answer(Stage.BEFORE_DOT)] * len(self._recipients)
        return self._outcome(answers, phase=phase, reason=reason, words=words, served=False)

    def _silence(self, reason: str) -> Outcome:
        answers = [
            Answer(self._stage if number in self._taken else Stage.BEFORE_DOT)
            for number in range(len(self._recipients))
        ]
        return self._outcome(answers, phase=None, reason=reason, words=None, served=None)

    def _outcome(
        self,
        answers: Sequence[Answer],
        *,
        phase: Phase | None,
        reason: str | None,
        words: str | None,
        served: bool | None,
    ) -> Outcome:
        return Outcome(
            submission=self._submission,
            account=self._due.account,
            answers=answers,
            took=timedelta(),
            phase=phase,
            reason=reason,
            words=words,
            served=served,
            session_limit=self._session_limit,
        )

    async def _before_dot(self, answers: Sequence[Answer | None]) -> None:
        """Commit that the dot is due; it is written as soon as this returns."""
        mark = store.Mark(
            self._submission,
            [(one.number, answer) for one, answer in zip(self._recipients, answers, strict=True)],
        )
        if not await self._hand.register.marks.do(mark):
            raise _LeaseLost
        self._stage = Stage.AFTER_DOT
        self._taken = frozenset(n for n, answer in enumerate(answers) if answer is None)

    async def _secret(self) -> Secret:
        """What signs in at exactly the place we are about to dial."""
        account = self._due.account
        if account.by_token:
            self._token = await self._hand.tokens.token(account, refused=self._refused)
            return self._token
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


def _reason(answers: Sequence[Answer]) -> str | None:
    """What speaks against the message, or against the first who does not get it."""
    return next((reason for answer in answers if (reason := reason_of(answer))), None)


async def _record(outcome: Outcome, hand: Hand) -> Submission | None:
    """Write it down; tried until the database takes it."""
    while True:
        with putting_off("writing an outcome"):
            return await hand.register.outcomes.do(outcome)
        await asyncio.sleep(_AWAY_SECONDS)


async def _give_back(submission: Submission, pool: Pool) -> None:
    """Let anybody begin it anew at once. The dot was not written, whatever was marked."""

    async def work(connection: Connection) -> None:
        held = await store.hold_begun(connection, submission)
        if held is not None:
            after = after_release(held)
            await store.put_states(connection, [after])
            await tell(connection, after.told())

    try:
        async with asyncio.timeout(_GIVE_BACK_SECONDS):
            await in_transaction(pool, work)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        log.warning("not given back, the lease will end", error=str(error))

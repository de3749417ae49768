"""What attempts came to, written down: many at a time, each as if it were alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.sender import store
from services.sender.actions.filing import to_file
from services.sender.domain.fate import Answer
from services.sender.domain.rest import rests_until, state_of_trouble
from services.sender.domain.submission import Submission, after_attempt
from services.sender.domain.telling import filings_of, pages_of
from services.sender.store import Account, Ended, Mark
from shared.bus import tell
from shared.contracts.account import SendingChanged, SendingState
from shared.contracts.submission import FileSentCopy, SubmissionChanged
from shared.db import Connection, Grouping, Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended, for the recipients it spoke for."""

    submission: Submission
    account: Account
    answers: Sequence[Answer]
    took: timedelta
    phase: str | None
    reason: str | None = None
    words: str | None = None
    served: bool | None  # there was a session; False: the reason is the account's; None: not tried
    session_limit: int | None = None  # learnt: messages this server takes in a session


class Register:
    """Where attempts write down that a dot is due, and what became of them."""

    def __init__(self, pool: Pool, lease: timedelta) -> None:
        self._lease = lease
        self.marks: Grouping[Mark, bool] = Grouping(pool, self._mark)
        self.outcomes: Grouping[Outcome, Submission | None] = Grouping(pool, _write)

    async def _mark(self, connection: Connection, marks: Sequence[Mark]) -> list[bool]:
        ours = await store.begin_transmitting(connection, marks, self._lease)
        return [mark.submission.submission_id in ours for mark in marks]


async def _write(connection: Connection, outcomes: Sequence[Outcome]) -> list[Submission | None]:
    """Fates, log and what is told, of those that are still ours.

    A lease may have ended meanwhile and the submission been called uncertain; as long as nobody
    began it anew (the fence), what we know replaces that.
    """
    now = datetime.now(UTC)
    held = {
        one.submission_id: one
        for one in await store.hold(connection, [outcome.submission for outcome in outcomes])
    }
    ended: list[Ended] = []
    changes: list[SubmissionChanged] = []
    filings: list[FileSentCopy] = []
    for outcome in outcomes:
        before = held.get(outcome.submission.submission_id)
        if before is None:
            continue
        after = _after(before, outcome, now)
        ended.append(Ended(after, outcome.took, outcome.phase))
        changes.append(after.told())
        if after.reached_somebody and not before.reached_somebody:
            filings.append(to_file(after, now))
    after = {one.submission.submission_id: one.submission for one in ended}
    await store.put_states(connection, list(after.values()), ended)
    resting = await _accounts(connection, outcomes, now)
    await tell(connection, *pages_of(changes), *filings_of(filings), *resting)
    return [after.get(outcome.submission.submission_id) for outcome in outcomes]


def _after(before: Submission, outcome: Outcome, now: datetime) -> Submission:
    answers = {
        one.number: answer
        for one, answer in zip(outcome.submission.open_recipients, outcome.answers, strict=True)
    }
    return after_attempt(
        before,
        answers,
        reason=outcome.reason,
        server_said=outcome.words,
        now=now,
        jitter=random.random(),  # noqa: S311 - spreads load, keeps no secret
    )


async def _accounts(
    connection: Connection, outcomes: Sequence[Outcome], now: datetime
) -> list[SendingChanged]:
    """Let accounts rest that were not served, and end the rest of those that are served again."""
    told: list[SendingChanged] = []
    news = {outcome.account.account_id: outcome for outcome in outcomes if _is_news(outcome)}
    for _, outcome in sorted(news.items()):
        account = outcome.account
        if outcome.session_limit is not None:
            endpoint = account.endpoint
            await store.put_session_limit(
                connection, endpoint.host, endpoint.port, outcome.session_limit
            )
        stands = await store.hold_account(connection, account)
        if stands is None or (outcome.served is False and stands.rests):
            continue
        trouble = None if outcome.served else outcome.reason or "not_submitted"
        if trouble is None and stands.trouble is None:
            continue
        failures = 0 if trouble is None else stands.failures + 1
        until = trouble and rests_until(
            trouble,
            failures=failures,
            now=now,
            jitter=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )
        # Of one that is held, this is told when it goes on.
        changed = trouble != stands.trouble and not stands.held
        await store.put_rest(
            connection,
            account,
            revision=stands.revision + changed,
            failures=failures,
            trouble=trouble,
            said=outcome.words if trouble else None,
            until=until or None,
        )
        if changed:
            told.append(
                SendingChanged(
                    tenant_id=account.tenant_id,
                    account_id=account.account_id,
                    revision=stands.revision + 1,
                    state=state_of_trouble(trouble) if trouble else SendingState.READY,
                    reason=trouble,
                    server_said=outcome.words if trouble else None,
                    retry_at=until or None,
                )
            )
    return told


def _is_news(outcome: Outcome) -> bool:
    return outcome.served is not None and (
        not outcome.served
        or outcome.account.trouble is not None
        or outcome.session_limit is not None
    )

"""So many messages a day, where a provider takes no more: who goes today, and who waits.

Whoever goes beyond that is mostly shut out for a day, and the account's owner with them. A day is
one of UTC, as for what sync reads.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

from services.sender.domain.submission import OPEN_FATES, Submission, is_expired
from shared.contracts.submission import Fate, SubmissionState

REASON = "daily_limit"


def without_place(submissions: Sequence[Submission], today: date) -> list[Submission]:
    """Those that have no place in today or a day to come."""
    return [one for one in submissions if one.day is None or one.day < today]


def placed(submission: Submission, day: date) -> Submission:
    """It has a place on this day."""
    return replace(submission, day=day)


def waits(submission: Submission, now: datetime) -> bool:
    """Whether its day is still to come. One whose time is over does not wait to be told so."""
    day = submission.day
    return day is not None and day > now.astimezone(UTC).date() and not is_expired(submission, now)


def after_spent_day(submission: Submission) -> Submission:
    """Its day begins at midnight; it ends before where its sender said so."""
    assert submission.day is not None
    begins = datetime.combine(submission.day, time(), UTC)
    recipients = tuple(
        replace(one, fate=Fate.DEFERRED) if one.fate in OPEN_FATES else one
        for one in submission.recipients
    )
    return replace(
        submission,
        revision=submission.revision + 1,
        state=SubmissionState.DEFERRED,
        recipients=recipients,
        due_at=min(begins, submission.expires_at or begins),
        reason=REASON,
        server_said=None,
    )

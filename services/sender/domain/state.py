"""What the fates of its recipients make of a submission, and when it is tried again."""

from collections.abc import Collection
from datetime import datetime, timedelta

from shared.contracts.submission import Fate, SubmissionState

# RFC 5321 §4.5.4.1 asks for 4 to 5 days of relays; whoever waits here is told within three.
RETRY_FOR = timedelta(days=3)
FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=4)


def state_of(fates: Collection[Fate]) -> SubmissionState:
    """The state of a submission follows from what became of each recipient.

    As long as somebody may still get it, it is on its way; doubt about anybody outweighs
    what is known about others, and what was heard later outweighs what was said at first.
    """
    known = set(fates)
    if Fate.DEFERRED in known:
        return SubmissionState.DEFERRED
    if Fate.WAITING in known:
        return SubmissionState.QUEUED
    if Fate.UNCERTAIN in known:
        return SubmissionState.UNCERTAIN
    if Fate.COMPLAINED in known:
        return SubmissionState.COMPLAINED
    if Fate.BOUNCED in known:
        return SubmissionState.BOUNCED
    if known == {Fate.ACCEPTED}:
        return SubmissionState.ACCEPTED
    if Fate.ACCEPTED in known:
        return SubmissionState.PARTIALLY_ACCEPTED
    if known == {Fate.CANCELED}:
        return SubmissionState.CANCELED
    return SubmissionState.FAILED


def next_attempt_at(
    *, attempts: int, first_attempt_at: datetime, now: datetime, jitter: float
) -> datetime | None:
    """When to try again after so many attempts; None when it was tried for long enough.

    The delay doubles from a minute to four hours; `jitter` (0 to 1) takes up to a quarter
    off it, so that a server that was away is not met by everybody at once. The last attempt
    is made when the time is over, not before.
    """
    ends_at = first_attempt_at + RETRY_FOR
    if now >= ends_at:
        return None
    doubled = FIRST_DELAY * 2 ** min(max(attempts, 1) - 1, 20)
    return min(now + min(doubled, LONGEST_DELAY) * (1 - jitter / 4), ends_at)

"""What can still be done about a submission, and what it makes of it."""

from dataclasses import replace
from datetime import datetime

from services.sender.domain.submission import Submission, after_cancel
from shared.contracts.submission import Fate, SubmissionState

_BEFORE_ITS_TIME = frozenset({SubmissionState.HELD, SubmissionState.SCHEDULED})


class CannotChange(Exception):
    """This cannot be done about it any more, or never could; `reason` is a stable code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def canceled(submission: Submission, *, handing_over: bool) -> Submission:
    """Nobody else gets it. Who has it, has it; raises CannotChange where that is everybody."""
    if submission.state is SubmissionState.CANCELED:
        return submission
    if handing_over or (submission.reached_somebody and submission.is_settled):
        raise CannotChange("cannot_unsend")
    if not submission.open_recipients:
        doubt = submission.state is SubmissionState.UNCERTAIN
        raise CannotChange("cannot_unsend" if doubt else "already_settled")
    return after_cancel(submission, reason="canceled")


def hastened(submission: Submission, *, handing_over: bool, now: datetime) -> Submission:
    """It is due at once, if it is not on the wire already."""
    if submission.is_settled:
        raise CannotChange("already_settled")
    if handing_over:
        return submission
    state = submission.state
    return replace(
        submission,
        revision=submission.revision + 1,
        state=SubmissionState.QUEUED if state in _BEFORE_ITS_TIME else state,
        due_at=now,
    )


def rescheduled(submission: Submission, *, handing_over: bool, send_at: datetime) -> Submission:
    """It is sent at another time; only what was not begun can be."""
    if (
        handing_over
        or submission.attempts
        or submission.state
        not in (
            *_BEFORE_ITS_TIME,
            SubmissionState.QUEUED,
        )
    ):
        raise CannotChange("already_sent")
    if submission.expires_at is not None and send_at >= submission.expires_at:
        raise CannotChange("expires_before")
    return replace(
        submission,
        revision=submission.revision + 1,
        state=SubmissionState.SCHEDULED,
        due_at=send_at,
    )


def retried(
    submission: Submission, *, may_arrive_twice: bool, has_mime: bool, now: datetime
) -> Submission:
    """Begun anew for whom it did not reach.

    Of some nobody knows whether it reached them: they are sent to only if it may arrive twice.
    """
    again = {Fate.REFUSED, Fate.CANCELED} | ({Fate.UNCERTAIN} if may_arrive_twice else set[Fate]())
    fates = {one.fate for one in submission.recipients}
    if not submission.is_settled:
        raise CannotChange("not_settled")
    if not fates & again:
        raise CannotChange("may_arrive_twice" if Fate.UNCERTAIN in fates else "already_sent")
    if not has_mime:
        raise CannotChange("message_forgotten")
    return replace(
        submission,
        revision=submission.revision + 1,
        state=SubmissionState.QUEUED,
        recipients=tuple(
            replace(one, fate=Fate.WAITING, handed_over=False) if one.fate in again else one
            for one in submission.recipients
        ),
        first_attempt_at=None,
        expires_at=None,
        due_at=now,
        reason=None,
        server_said=None,
    )

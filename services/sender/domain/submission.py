"""A submission, and how it comes from one state to the next."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from services.sender.domain.compose import Composed
from services.sender.domain.fate import Answer, fate_of
from services.sender.domain.state import next_attempt_at, state_of
from shared.contracts.submission import Fate, Recipient, SubmissionChanged, SubmissionState

# Recipients that an attempt still speaks for.
OPEN_FATES = frozenset({Fate.WAITING, Fate.DEFERRED})
# States that a submission does not leave by itself.
SETTLED_STATES = frozenset(
    {
        SubmissionState.ACCEPTED,
        SubmissionState.PARTIALLY_ACCEPTED,
        SubmissionState.FAILED,
        SubmissionState.UNCERTAIN,
        SubmissionState.CANCELED,
        SubmissionState.BOUNCED,
        SubmissionState.COMPLAINED,
    }
)
# States in which it is known when something happens next.
_WAITING_STATES = frozenset(
    {SubmissionState.HELD, SubmissionState.SCHEDULED, SubmissionState.DEFERRED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """One recipient of a submission and what is known of the message there."""

    number: int
    email: str  # as on the wire
    fate: Fate = Fate.WAITING
    code: int | None = None
    enhanced_code: str | None = None
    server_said: str | None = None
    handed_over: bool = False  # taken by the server when the dot was due

    def answered(self, answer: Answer) -> "Addressee":
        """What the server's last word makes of this recipient; silence leaves no words."""
        reply = answer.reply
        return replace(
            self,
            fate=fate_of(answer.stage, reply),
            code=reply.code if reply else None,
            enhanced_code=reply.enhanced_code if reply else None,
            server_said=reply.text if reply else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Our duty to deliver one message; whoever holds it acts under its fence."""

    submission_id: UUID
    tenant_id: UUID
    account_id: UUID
    state: SubmissionState
    revision: int
    message_id: str
    sender: str
    size_bytes: int
    needs_smtputf8: bool
    attempts: int
    first_attempt_at: datetime | None
    due_at: datetime | None
    reason: str | None
    server_said: str | None
    filed: bool
    fence: int
    created_at: datetime
    slot_at: datetime | None = None  # when it may go where only so many a minute may
    day: date | None = None  # on which it has a place where only so many a day may go (UTC)
    recipients: tuple[Addressee, ...]
    expires_at: datetime | None = None

    @property
    def open_recipients(self) -> tuple[Addressee, ...]:
        """Those who may still get the message."""
        return tuple(one for one in self.recipients if one.fate in OPEN_FATES)

    @property
    def is_settled(self) -> bool:
        return self.state in SETTLED_STATES

    @property
    def reached_somebody(self) -> bool:
        return any(one.fate is Fate.ACCEPTED for one in self.recipients)

    def told(self) -> SubmissionChanged:
        """This state, whole, for the world."""
        return SubmissionChanged(
            tenant_id=self.tenant_id,
            account_id=self.account_id,
            submission_id=self.submission_id,
            revision=self.revision,
            state=self.state,
            message_id=self.message_id,
            recipients=tuple(
                Recipient(
                    email=one.email,
                    fate=one.fate,
                    code=one.code,
                    enhanced_code=one.enhanced_code,
                    server_said=one.server_said,
                )
                for one in self.recipients
            ),
            attempts=self.attempts,
            next_attempt_at=self.due_at if self.state in _WAITING_STATES else None,
            reason=self.reason,
            server_said=self.server_said,
            filed=self.filed,
            size_bytes=self.size_bytes,
        )


def after_claim(submission: Submission, *, now: datetime) -> Submission:
    """Somebody has it in hand and begins, under a fence of its own."""
    return replace(
        submission,
        revision=submission.revision + 1,
        state=SubmissionState.SENDING,
        attempts=submission.attempts + 1,
        first_attempt_at=submission.first_attempt_at or now,
        fence=submission.fence + 1,
    )


def after_suppression(submission: Submission, emails: Collection[str]) -> Submission:
    """The tenant sends nothing to some of these addresses: for them it ends before it begins."""
    recipients = tuple(
        replace(one, fate=Fate.REFUSED, server_said="suppressed")
        if one.fate in OPEN_FATES and one.email.lower() in emails
        else one
        for one in submission.recipients
    )
    return replace(submission, recipients=recipients)


def after_refusal_of_all(submission: Submission, *, reason: str) -> Submission:
    """There is nobody left to send it to."""
    return replace(
        submission,
        revision=submission.revision + 1,
        state=state_of([one.fate for one in submission.recipients]),
        due_at=None,
        reason=reason,
    )


def after_release(submission: Submission) -> Submission:
    """Whoever had it in hand let go of it, with nothing handed over."""
    return replace(
        submission,
        revision=submission.revision + 1,
        state=state_of([one.fate for one in submission.recipients]),
    )


def after_attempt(
    submission: Submission,
    answers: Mapping[int, Answer],
    *,
    reason: str | None,
    server_said: str | None,
    now: datetime,
    jitter: float,
) -> Submission:
    """What an attempt made of a submission: `answers` by the recipients' numbers."""
    recipients = tuple(
        one.answered(answers[one.number]) if one.number in answers else one
        for one in submission.recipients
    )
    return _moved_on(submission, recipients, reason, server_said, now, jitter)


def after_interruption(submission: Submission, *, now: datetime, jitter: float) -> Submission:
    """What to believe when whoever sent it died with the final dot perhaps on the wire.

    Only the server knows about those it had taken; nobody is sent to twice to find out.
    """
    recipients = tuple(
        replace(one, fate=Fate.UNCERTAIN) if one.handed_over and one.fate in OPEN_FATES else one
        for one in submission.recipients
    )
    return _moved_on(submission, recipients, "interrupted", None, now, jitter)


def after_restore(submission: Submission) -> Submission:
    """What to believe of one that was due before the database came out of a backup.

    It may have been sent since the backup was made: nobody is sent to twice to find out. What
    traces tell settles it, or a human does.
    """
    recipients = tuple(
        replace(one, fate=Fate.UNCERTAIN) if one.fate in OPEN_FATES else one
        for one in submission.recipients
    )
    return replace(
        submission,
        revision=submission.revision + 1,
        state=state_of([one.fate for one in recipients]),
        recipients=recipients,
        due_at=None,
        reason="restored",
    )


def after_refusal(submission: Submission, *, reason: str) -> Submission:
    """Nobody who has not got the message can get it."""
    recipients = tuple(
        replace(one, fate=Fate.REFUSED) if one.fate in OPEN_FATES else one
        for one in submission.recipients
    )
    return replace(
        submission,
        revision=submission.revision + 1,
        state=state_of([one.fate for one in recipients]),
        recipients=recipients,
        due_at=None,
        reason=reason,
    )


def is_expired(submission: Submission, now: datetime) -> bool:
    """Whether its time is over, as the sender wanted it."""
    return submission.expires_at is not None and now >= submission.expires_at


def after_cancel(submission: Submission, *, reason: str) -> Submission:
    """Nobody who has not got the message will get it."""
    recipients = tuple(
        replace(one, fate=Fate.CANCELED) if one.fate in OPEN_FATES else one
        for one in submission.recipients
    )
    return replace(
        submission,
        revision=submission.revision + 1,
        state=state_of([one.fate for one in recipients]),
        recipients=recipients,
        due_at=None,
        reason=reason,
    )


def after_composing(submission: Submission, composed: Composed) -> Submission:
    """Its bytes are frozen; to whom it goes was known before."""
    return replace(
        submission,
        revision=submission.revision + 1,
        message_id=composed.message_id,
        sender=composed.sender,
        size_bytes=len(composed.mime),
        needs_smtputf8=composed.needs_smtputf8,
    )


def retold(submission: Submission) -> Submission:
    """Nothing about it changed, but it is told again."""
    return replace(submission, revision=submission.revision + 1)


def after_filing(submission: Submission) -> Submission:
    """A copy is in Sent."""
    return replace(submission, revision=submission.revision + 1, filed=True)


def _moved_on(
    submission: Submission,
    recipients: tuple[Addressee, ...],
    reason: str | None,
    server_said: str | None,
    now: datetime,
    jitter: float,
) -> Submission:
    due_at: datetime | None = None
    if any(one.fate in OPEN_FATES for one in recipients):
        due_at = next_attempt_at(
            attempts=submission.attempts,
            first_attempt_at=submission.first_attempt_at or now,
            now=now,
            jitter=jitter,
        )
        if due_at is not None and is_expired(submission, due_at):
            due_at, reason = None, "expired"
        if due_at is None:
            # Tried for as long as is decent: it ends with the server's last words.
            reason = reason or "gave_up"
            recipients = tuple(
                replace(one, fate=Fate.REFUSED) if one.fate in OPEN_FATES else one
                for one in recipients
            )
    state = state_of([one.fate for one in recipients])
    return replace(
        submission,
        revision=submission.revision + 1,
        state=state,
        recipients=recipients,
        due_at=due_at,
        reason=reason,
        server_said=server_said or _most_telling(recipients),
    )


def _most_telling(recipients: tuple[Addressee, ...]) -> str | None:
    """The server's words about whoever fares worst."""
    for fate in (Fate.UNCERTAIN, Fate.REFUSED, Fate.DEFERRED, Fate.ACCEPTED):
        for one in recipients:
            if one.fate is fate and one.server_said:
                return one.server_said
    return None

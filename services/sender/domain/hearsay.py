"""What is heard of a message after it was sent, and what it makes of a submission."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.sender.domain.state import RETRY_FOR, state_of
from services.sender.domain.submission import Addressee, Submission, is_expired
from shared.contracts.content import RecipientReport, Report, ReportKind
from shared.contracts.submission import Fate, SuppressionReason, TraceKind

# When traces are sought: at once, for a server may have filed a copy; then for some days.
_SEEK_AFTER = (
    timedelta(seconds=20),
    timedelta(minutes=2),
    timedelta(minutes=15),
    timedelta(hours=2),
    timedelta(hours=12),
    timedelta(days=1),
    timedelta(days=3),
)
# Of these, whoever wants a message sent again in doubt waits for so many: a quarter of an hour.
_SEEKS_ENOUGH = 4
_HANDED_OVER = frozenset({Fate.ACCEPTED, Fate.UNCERTAIN, Fate.BOUNCED, Fate.COMPLAINED})
# RFC 3463 X.1.*: the address itself is bad, today and tomorrow.
_NO_SUCH_ADDRESS = "5.1."


@dataclass(frozen=True, slots=True)
class Shunned:
    """An address to which nothing more should be sent, and why."""

    email: str
    reason: SuppressionReason
    said: str | None


def seek_after(seeks: int) -> timedelta | None:
    """How long to wait before traces are sought once more; None when it was for long enough."""
    return _SEEK_AFTER[seeks] if seeks < len(_SEEK_AFTER) else None


def after_traces(submission: Submission, kinds: Iterable[TraceKind]) -> Submission:
    """What traces make of a submission in doubt: who it was handed over for has it.

    What speaks best decides the reason. Without any it stays as it is: nothing found proves
    nothing.
    """
    found = set(kinds)
    kind = next((one for one in TraceKind if one in found), None)
    if kind is None or not any(one.fate is Fate.UNCERTAIN for one in submission.recipients):
        return submission
    recipients = tuple(
        replace(one, fate=Fate.ACCEPTED) if one.fate is Fate.UNCERTAIN else one
        for one in submission.recipients
    )
    return _heard(submission, recipients, f"found_{kind.value}")


def is_sought_enough(seeks: int) -> bool:
    """Whether traces were sought for as long as it takes servers to show what they took."""
    return seeks >= _SEEKS_ENOUGH


def after_doubt(submission: Submission, *, now: datetime) -> Submission:
    """Sent once more to whom nobody knows it reached, as its sender wants it in doubt.

    As with every message that is tried again that ends some days after the first attempt. What may
    have been sent since a backup was made is not: a human decides that.
    """
    begun_at = submission.first_attempt_at
    if (
        submission.reason == "restored"
        or begun_at is None
        or now >= begun_at + RETRY_FOR
        or is_expired(submission, now)
    ):
        return submission
    recipients = tuple(
        replace(one, fate=Fate.DEFERRED, handed_over=False) if one.fate is Fate.UNCERTAIN else one
        for one in submission.recipients
    )
    return replace(
        _heard(submission, recipients, "no_trace_found"),
        due_at=now,
    )


def after_report(submission: Submission, report: Report) -> tuple[Submission, list[Shunned]]:
    """What a report makes of a submission, and whom to send nothing more.

    Only of those the message was handed over for; a report that names others is none of it. A
    report proves, whatever it says, that the message left: that settles doubt.
    """
    recipients = list(submission.recipients)
    shunned: list[Shunned] = []
    bad: Fate | None = None
    words: str | None = None
    for one in report.recipients:
        number = _about(recipients, one, report.kind)
        if number is None:
            continue
        fate = _fate(report.kind, one)
        who = recipients[number]
        if fate is None or who.fate is fate or who.fate is Fate.COMPLAINED:
            continue
        recipients[number] = _told(who, fate, one)
        if fate is not Fate.ACCEPTED:
            bad, words = fate, one.diagnostic
            shunned += _shunned(who, fate, one)
    if tuple(recipients) == submission.recipients:
        return submission, []
    reason = bad.value if bad else f"found_{TraceKind.REPORT.value}"
    return replace(_heard(submission, tuple(recipients), reason), server_said=words), shunned


def _about(
    recipients: Sequence[Addressee], report: RecipientReport, kind: ReportKind
) -> int | None:
    """Whom it is about: by either of their addresses; the only one, where a complaint hides it."""
    handed_over = [n for n, one in enumerate(recipients) if one.fate in _HANDED_OVER]
    named = {
        address.lower() for address in (report.recipient, report.original_recipient) if address
    }
    for number in handed_over:
        if recipients[number].email.lower() in named:
            return number
    hidden = kind is ReportKind.ABUSE and len(recipients) == 1
    return handed_over[0] if hidden and handed_over else None


def _fate(kind: ReportKind, report: RecipientReport) -> Fate | None:
    match kind, report.action:
        case ReportKind.DELIVERY, "failed":
            return Fate.BOUNCED
        case ReportKind.DELIVERY, "delivered" | "relayed" | "expanded":
            return Fate.ACCEPTED
        case ReportKind.READING, _:
            return Fate.ACCEPTED
        case ReportKind.ABUSE, action if action != "not-spam":  # RFC 6430
            return Fate.COMPLAINED
        case _:
            return None


def _told(who: Addressee, fate: Fate, report: RecipientReport) -> Addressee:
    if fate is Fate.ACCEPTED:
        return replace(who, fate=fate) if who.fate is Fate.UNCERTAIN else who
    return replace(
        who,
        fate=fate,
        enhanced_code=report.status or who.enhanced_code,
        server_said=report.diagnostic or who.server_said,
    )


def _shunned(who: Addressee, fate: Fate, report: RecipientReport) -> list[Shunned]:
    if fate is Fate.COMPLAINED:
        return [Shunned(who.email, SuppressionReason.COMPLAINED, report.diagnostic)]
    if (report.status or "").startswith(_NO_SUCH_ADDRESS):
        return [Shunned(who.email, SuppressionReason.BOUNCED, report.diagnostic)]
    return []


def _heard(submission: Submission, recipients: tuple[Addressee, ...], reason: str) -> Submission:
    return replace(
        submission,
        revision=submission.revision + 1,
        recipients=recipients,
        state=state_of([one.fate for one in recipients]),
        reason=reason,
    )

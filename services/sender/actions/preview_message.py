"""What a message would be, for somebody who wants to see it before it is sent."""

from datetime import UTC, datetime

from services.sender.actions.composing import NotGathered, composed_of
from services.sender.domain.compose import Composed, Unsendable
from shared.bus import Bus
from shared.contracts.envelope import Problem
from shared.contracts.submission import Check, PreviewSubmission, SubmissionPreview

_CHECKS = ("recipients", "header", "attachments", "body", "size", "smtputf8")
# Which check says so.
_SAID_BY = {
    "invalid_address": "recipients",
    "no_recipients": "recipients",
    "invalid_header": "header",
    "attachment_missing": "attachments",
    "invalid_message": "body",
    "message_too_large": "size",
}
_OFTEN_REFUSED_BYTES = 20 * 1024 * 1024


async def preview_message(query: PreviewSubmission, bus: Bus) -> SubmissionPreview:
    """The message as it would leave, or what is in its way."""
    message = query.message
    try:
        composed = await composed_of(
            message,
            bus,
            now=query.composed_at or message.send_at or datetime.now(UTC),
            draft_message_id=query.draft_message_id,
        )
    except NotGathered:
        return SubmissionPreview(problem=Problem(code="attachments_unavailable"))
    except Unsendable as unsendable:
        failing = _SAID_BY.get(unsendable.reason, "body")
        wrong = Check(name=failing, passed=False, code=unsendable.reason, detail=str(unsendable))
        # What comes behind it was not looked at.
        before = _CHECKS[: _CHECKS.index(failing)]
        return SubmissionPreview(checks=(*(Check(name=one, passed=True) for one in before), wrong))
    return SubmissionPreview(
        checks=tuple(_check(name, composed) for name in _CHECKS),
        message_id=composed.message_id,
        sender=composed.sender,
        recipients=composed.recipients,
        size_bytes=len(composed.mime),
        mime=composed.mime[query.from_byte : query.from_byte + SubmissionPreview.MIME_BYTES],
    )


def _check(name: str, composed: Composed) -> Check:
    if name == "size" and len(composed.mime) > _OFTEN_REFUSED_BYTES:
        return Check(
            name=name, passed=True, code="often_too_large", detail="Many servers refuse so much."
        )
    if name == "smtputf8" and composed.needs_smtputf8:
        return Check(
            name=name,
            passed=True,
            code="smtputf8_needed",
            detail="An address has characters that only servers with SMTPUTF8 take.",
        )
    return Check(name=name, passed=True)

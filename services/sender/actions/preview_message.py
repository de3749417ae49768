"""What a message would be, for somebody who wants to see it before it is sent."""

from datetime import UTC, datetime

from services.sender import store
from services.sender.actions.composing import NotGathered, composed_of
from services.sender.domain.compose import Composed, Unsendable
from services.sender.domain.turns import Sender
from shared.bus import Bus
from shared.contracts.envelope import Problem
from shared.contracts.submission import Check, PreviewSubmission, SubmissionPreview
from shared.db import Pool, tenant_transaction

_CHECKS = ("recipients", "header", "attachments", "body", "size", "smtputf8", "suppressions")
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


async def preview_message(
    query: PreviewSubmission, bus: Bus, pool: Pool, request_pool: Pool
) -> SubmissionPreview:
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
    largest, shunned = None, frozenset[str]()
    if query.draft_message_id is None:
        largest = await _largest(query, pool)
        shunned = await _suppressed(query, composed, request_pool)
    return SubmissionPreview(
        checks=tuple(_check(name, composed, largest, shunned) for name in _CHECKS),
        message_id=composed.message_id,
        sender=composed.sender,
        recipients=composed.recipients,
        size_bytes=len(composed.mime),
        mime=composed.mime[query.from_byte : query.from_byte + SubmissionPreview.MIME_BYTES],
    )


async def _largest(query: PreviewSubmission, pool: Pool) -> int | None:
    """How large a message the account's server takes, as it said last."""
    sender = Sender(query.message.tenant_id, query.message.account_id)
    async with pool.acquire() as connection:
        account = (await store.accounts(connection, [sender.account_id])).get(sender)
        if account is None:
            return None
        endpoint = account.endpoint
        return await store.largest_bytes(connection, endpoint.host, endpoint.port)


async def _suppressed(
    query: PreviewSubmission, composed: Composed, request_pool: Pool
) -> frozenset[str]:
    if query.message.ignore_suppressions:
        return frozenset()
    async with tenant_transaction(request_pool, query.caller) as connection:
        return await store.suppressed_of(connection, query.caller.tenant_id, composed.recipients)


def _check(name: str, composed: Composed, largest: int | None, shunned: frozenset[str]) -> Check:
    size = len(composed.mime)
    if name == "size" and largest is not None and size > largest:
        return Check(
            name=name,
            passed=False,
            code="larger_than_server_takes",
            detail=f"It has {size} bytes, and the account's server takes {largest}.",
        )
    if name == "suppressions" and shunned:
        return Check(
            name=name,
            passed=False,
            code="suppressed",
            detail=f"Nothing is sent to {', '.join(sorted(shunned))[:1000]}.",
        )
    if name == "size" and largest is None and len(composed.mime) > _OFTEN_REFUSED_BYTES:
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

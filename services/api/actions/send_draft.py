"""Send what was written."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from services.api.actions.drafting import discard, held
from services.api.actions.submitting import Outgoing, submit
from services.api.domain.refusals import NobodyToSendTo, Refused
from services.api.store import log
from services.api.store.drafts import Draft
from services.api.store.submissions import ShownSubmission
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def send_draft(
    pool: Pool,
    caller: Caller,
    draft_id: UUID,
    outgoing: Callable[[Draft], Outgoing],
    *,
    versions: frozenset[int] | None,
) -> tuple[ShownSubmission, dict[UUID, int]]:
    """The submission that the draft became; the draft is gone in the same moment.

    Raises NotFound, ChangedMeanwhile, NobodyToSendTo, and what `submit` raises.
    """
    async with tenant_transaction(pool, caller) as connection:
        draft = await held(connection, caller, draft_id, versions)
        if not draft.written.everybody:
            raise NobodyToSendTo
        [made], entries = await submit(connection, caller, [outgoing(draft)], datetime.now(UTC))
        if isinstance(made, Refused):
            raise made
        entries += await discard(connection, draft, became=made.submission_id)
        return made, await log.append(connection, entries)

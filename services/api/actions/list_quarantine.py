"""What is on a mail account's server and could not be kept."""

from uuid import UUID

from services.api.domain.cursors import After
from services.api.domain.refusals import NotFound, SyncUnavailable
from services.api.store import accounts
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.standing import ListQuarantine, QuarantineAnswer
from shared.db import Pool, tenant_transaction


async def list_quarantine(
    pool: Pool, bus: Bus, caller: Caller, account_id: UUID, after: After | None, limit: int
) -> tuple[QuarantineAnswer, After | None]:
    """A page of it, noticed last first, and where to go on if there is more.

    Raises NotFound, SyncUnavailable.
    """
    async with tenant_transaction(pool, caller) as connection:
        if await accounts.by_id(connection, caller.tenant_id, account_id) is None:
            raise NotFound
    query = ListQuarantine(
        caller=caller, account_id=account_id, limit=limit, after=after and (after.at, after.id)
    )
    try:
        answer = await bus.ask(query, QuarantineAnswer)
    except NoAnswer as error:
        raise SyncUnavailable(retry_after_seconds=5) from error
    if answer.problem is not None:
        raise SyncUnavailable(answer.problem.detail or None, retry_after_seconds=5)
    last = answer.messages[-1] if answer.more and answer.messages else None
    return answer, last and After(last.noticed_at, last.quarantine_id)

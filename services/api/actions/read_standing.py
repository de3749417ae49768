"""How a mail account stands with its server."""

from uuid import UUID

from services.api.domain.refusals import NotFound, SyncUnavailable
from services.api.store import accounts
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.standing import ReadStanding, Standing, StandingAnswer
from shared.db import Pool, tenant_transaction


async def read_standing(pool: Pool, bus: Bus, caller: Caller, account_id: UUID) -> Standing:
    """As sync says. Raises NotFound; SyncUnavailable, also while sync has not heard of it yet."""
    async with tenant_transaction(pool, caller) as connection:
        if await accounts.by_id(connection, caller.tenant_id, account_id) is None:
            raise NotFound
    try:
        answer = await bus.ask(ReadStanding(caller=caller, account_id=account_id), StandingAnswer)
    except NoAnswer as error:
        raise SyncUnavailable(retry_after_seconds=5) from error
    if answer.standing is None:
        raise SyncUnavailable(retry_after_seconds=2)
    return answer.standing

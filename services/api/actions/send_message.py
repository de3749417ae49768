"""Hand a message to sender."""

from datetime import UTC, datetime
from uuid import UUID

from services.api.actions.submitting import Outgoing, repeated, submit
from services.api.store import accounts, log
from services.api.store.submissions import ShownSubmission
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def find_repeated(
    pool: Pool, caller: Caller, person_id: UUID, outgoing: Outgoing
) -> ShownSubmission | None:
    """What the same request made before; raises KeyReused."""
    async with tenant_transaction(pool, caller) as connection:
        return await repeated(connection, caller, person_id, outgoing)


async def send_message(
    pool: Pool, caller: Caller, person_id: UUID, outgoing: Outgoing
) -> tuple[ShownSubmission, dict[UUID, int]]:
    """The submission, on its way; raises what `submit` raises."""
    async with tenant_transaction(pool, caller) as connection:
        await accounts.hold_living(connection, [(caller.tenant_id, outgoing.account_id)])
        made, entries = await submit(connection, caller, person_id, outgoing, datetime.now(UTC))
        return made, await log.append(connection, entries)

"""Look at a submission."""

from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import submissions
from services.api.store.submissions import ShownSubmission
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def find_submission(pool: Pool, caller: Caller, submission_id: UUID) -> ShownSubmission:
    """The submission and what became of it; raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        found = await submissions.by_id(connection, caller.tenant_id, submission_id)
    if found is None:
        raise NotFound
    return found

"""Ask sender to do something about a submission."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain.refusals import NotFound
from services.api.store import submissions
from shared.bus import tell
from shared.contracts.envelope import Caller
from shared.contracts.submission import ChangeSubmission, SubmissionAction
from shared.db import Pool, tenant_transaction


async def change_submission(
    pool: Pool,
    caller: Caller,
    submission_id: UUID,
    action: SubmissionAction,
    *,
    send_at: datetime | None = None,
    may_arrive_twice: bool = False,
) -> UUID:
    """The id by which sender answers; raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        found = await submissions.by_id(connection, caller.tenant_id, submission_id)
        if found is None:
            raise NotFound
        command = ChangeSubmission(
            tenant_id=caller.tenant_id,
            change_id=uuid7(),
            account_id=found.account_id,
            submission_id=submission_id,
            action=action,
            send_at=send_at,
            may_arrive_twice=may_arrive_twice,
        )
        await tell(connection, command)
        return command.change_id

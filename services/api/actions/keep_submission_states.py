"""Show what became of submissions."""

from collections.abc import Sequence
from uuid import UUID

from services.api.domain import logbook
from services.api.domain.told import newest_each
from services.api.store import accounts, log, submissions
from shared.contracts.submission import SubmissionChanged
from shared.db import Connection, Pool, in_transaction


async def keep_submission_states(
    pool: Pool, events: Sequence[SubmissionChanged]
) -> dict[UUID, int]:
    """Let these submissions be as told; returns how far logs grew."""
    newest = newest_each(
        events,
        key=lambda event: (event.tenant_id, event.submission_id),
        revision=lambda event: event.revision,
    )

    async def work(connection: Connection) -> dict[UUID, int]:
        living = await accounts.hold_living(
            connection, [(event.tenant_id, event.account_id) for event in events]
        )
        told = [event for event in newest if (event.tenant_id, event.account_id) in living]
        if not told:
            return {}
        differ = await submissions.put_states(connection, told)
        entries = [
            logbook.of_submission_state(event)
            for event in told
            if (event.tenant_id, event.submission_id) in differ
        ]
        return await log.append(connection, await log.unlogged(connection, entries))

    return await in_transaction(pool, work)

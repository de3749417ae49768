"""Have traces sought of messages of which nobody knows whether they were taken."""

from datetime import timedelta
from uuid import UUID

from services.sender import store
from services.sender.domain.hearsay import seek_after
from shared.bus import tell
from shared.contracts.submission import SeekMessage
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 50


async def seek_traces(pool: Pool) -> int:
    """Ask sync for those whose time it is; how many that are."""

    async def work(connection: Connection) -> int:
        sought = await store.hold_to_seek(connection, _AT_A_TIME)
        again: dict[UUID, timedelta | None] = {}
        for submission, seeks in sought:
            again[submission.submission_id] = seek_after(seeks)
            await tell(
                connection,
                SeekMessage(
                    tenant_id=submission.tenant_id,
                    account_id=submission.account_id,
                    submission_id=submission.submission_id,
                    message_id=submission.message_id,
                ),
            )
        await store.put_seeks(connection, again)
        return len(sought)

    return await in_transaction(pool, work)

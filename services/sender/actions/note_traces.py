"""Traces of a message that may have been sent were sought."""

from datetime import UTC, datetime

from services.sender import store
from services.sender.actions.filing import to_file
from services.sender.domain.hearsay import after_traces
from shared.bus import tell
from shared.contracts.submission import MessageSought
from shared.db import Connection, Pool, in_transaction


async def note_traces(events: list[MessageSought], pool: Pool) -> None:
    """What left a trace was sent; where nothing was found, nothing is known yet."""

    async def work(connection: Connection) -> None:
        for event in events:
            submission = await store.hold_uncertain(
                connection, event.tenant_id, event.submission_id
            )
            if submission is None:
                continue
            after = after_traces(submission, [trace.kind for trace in event.traces])
            if after is submission:
                continue
            await store.put_states(connection, [after])
            await tell(connection, after.told())
            if not submission.reached_somebody:
                await tell(connection, to_file(after, datetime.now(UTC)))

    await in_transaction(pool, work)

"""Traces of a message that may have been sent were sought."""

from datetime import UTC, datetime

from services.sender import store
from services.sender.actions.filing import to_file
from services.sender.domain.hearsay import after_doubt, after_traces, is_sought_enough
from shared.bus import tell
from shared.contracts.submission import MessageSought
from shared.db import Connection, Pool, in_transaction


async def note_traces(events: list[MessageSought], pool: Pool) -> None:
    """What left a trace was sent; where nothing was found, nothing is known yet.

    Nothing known for long enough, it is sent once more where its sender wants that.
    """

    async def work(connection: Connection) -> None:
        now = datetime.now(UTC)
        for event in events:
            doubt = await store.hold_uncertain(connection, event.tenant_id, event.submission_id)
            if doubt is None:
                continue
            submission = doubt.submission
            after = after_traces(submission, [trace.kind for trace in event.traces])
            if after is not submission:
                await store.put_states(connection, [after])
                await tell(connection, after.told())
                if not submission.reached_somebody:
                    await tell(connection, to_file(after, now))
            elif doubt.retries and is_sought_enough(doubt.seeks):
                again = after_doubt(submission, now=now)
                if again is not submission:
                    await store.put_retried(connection, again)
                    await tell(connection, again.told())

    await in_transaction(pool, work)

"""Submissions whose sender died with them in hand."""

import random
from datetime import UTC, datetime, timedelta

from services.sender import store
from services.sender.domain.submission import Submission, after_interruption, after_release
from services.sender.domain.telling import pages_of
from services.sender.store import Ended
from shared.bus import tell
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 50


async def settle_interrupted(pool: Pool) -> list[Submission]:
    """Let those go on that were not handed over; the others are uncertain, for those taken.

    The fence stays: if the last owner is alive after all, it may still say what it heard, or
    finds that it may write no dot any more.
    """

    async def work(connection: Connection) -> list[Submission]:
        now = datetime.now(UTC)
        released = [after_release(one) for one in await store.hold_left(connection, _AT_A_TIME)]
        uncertain = [
            after_interruption(submission, now=now, jitter=random.random())  # noqa: S311
            for submission in await store.hold_interrupted(connection, _AT_A_TIME)
        ]
        settled = [*released, *uncertain]
        if settled:
            await store.put_states(
                connection, settled, [Ended(one, timedelta(), "dot") for one in uncertain]
            )
            await tell(connection, *pages_of(one.told() for one in settled))
        return settled

    return await in_transaction(pool, work)

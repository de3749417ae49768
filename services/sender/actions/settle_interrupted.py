"""Submissions whose sender died with the final dot perhaps on the wire."""

import random
from datetime import UTC, datetime, timedelta

from services.sender import store
from services.sender.domain.submission import Submission, after_interruption
from shared.bus import tell
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 50


async def settle_interrupted(pool: Pool) -> list[Submission]:
    """Say that they are uncertain, for those the server had taken; the others go on.

    The fence stays: if the last owner is alive after all, it may still say what it heard.
    """

    async def work(connection: Connection) -> list[Submission]:
        now = datetime.now(UTC)
        settled = [
            after_interruption(submission, now=now, jitter=random.random())  # noqa: S311
            for submission in await store.hold_interrupted(connection, _AT_A_TIME)
        ]
        for submission in settled:
            await store.put_state(connection, submission)
            await store.put_attempt(connection, submission, took=timedelta(), phase="dot")
            await tell(connection, submission.told())
        return settled

    return await in_transaction(pool, work)

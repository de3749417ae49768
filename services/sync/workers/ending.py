"""Ending tasks, however they take it."""

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 1.0


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel these and wait until they have ended; what they ended by is no matter any more.

    One cancellation may get lost: `wait_for` of Python 3.11 forgets it when the answer came in the
    same moment, and so does whoever waits by it for a reply of the bus. Then it is said again.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody complains that it was not

"""Tasks that work side by side, and how they are ended, however they take it."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

_AGAIN_SECONDS = 3.0


async def end(
    tasks: Iterable["asyncio.Future[Any]"], *, again_seconds: float = _AGAIN_SECONDS
) -> None:
    """Cancel these and wait until they have ended; what they ended by is no matter any more.

    One cancellation may get lost: `wait_for` of Python 3.11 forgets it when the answer came in the
    same moment, and so does whoever waits by it for a reply of the bus. Then it is said again.
    `again_seconds`: what they may need to put their things in order.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=again_seconds)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, so that nobody complains that it was not


async def until_one_ends(
    *works: Coroutine[Any, Any, object], again_seconds: float = _AGAIN_SECONDS
) -> None:
    """Do these at once until one of them ends, then end the others; its error is raised.

    Unlike a TaskGroup, this one also ends when one of the others loses its cancellation.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(tasks, again_seconds=again_seconds)

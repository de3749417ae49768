"""Cancelling work wherever it waits, as the end of a process does."""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any


class Stopped:
    """Cancels its task when it waits for the nth time; `reached` says whether it came so far.

    `done`: not while it waits, but in the moment when what it waited for is there.
    """

    def __init__(self, at: int, *, done: bool = False) -> None:
        self._left = at
        self._done = done
        self.reached = False

    @types.coroutine
    def during(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        send, throw = None, None
        while True:
            try:
                waits_for = work.send(send) if throw is None else work.throw(throw)
            except StopIteration as ended:
                return ended.value
            self._left -= 1
            here = self._left == 0
            self.reached = self.reached or here
            if here and not self._done:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            send, throw = None, None
            try:
                send = yield waits_for
            except BaseException as error:  # noqa: BLE001 - goes on to where it is waited
                throw = error
            if here and self._done:
                throw = asyncio.CancelledError()


async def stopped(work: Coroutine[Any, Any, Any], at: int) -> bool:
    """Whether the work was cancelled where it waited for the nth time; else it was done before."""
    stop = Stopped(at)
    task = asyncio.ensure_future(stop.during(work))
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    return stop.reached

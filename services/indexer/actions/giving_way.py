"""The words of a first sync are read beside the copy, or after it: never in its place.

Somebody who connects an account looks at its lists first. Where the copy needs every processor,
each second that goes into words comes out of it; where one is free, waiting would help nobody.
A copy may go on for days, and so do its words, at a fifth of their pace.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from services.indexer.metrics import GAVE_WAY_SECONDS

#: Inside of it, what was told of a first sync may be read.
Turn: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]

_LOOK_SECONDS = 0.15
# Pages come some at a time. Where nothing else is to be done, a processor is free at the end.
_PAUSE_SECONDS = 1.0
_FREE = 0.5  # of a processor
_TIMES = 4  # as long as the last batch took
_FIRST_SECONDS = 1.25  # what a batch is believed to take before there was one
_CLOCK = os.sysconf("SC_CLK_TCK")
_STAT = Path("/proc/stat")

at_once: Turn = contextlib.nullcontext[None]


def rested_seconds() -> float | None:
    """How long this machine's processors rested since it started; None: it does not say.

    Where we run in a container these are the processors of the machine around it.
    """
    try:
        with _STAT.open("rb") as stat:
            fields = stat.readline().split()
    except OSError:
        return None
    return (int(fields[4]) + int(fields[5])) / _CLOCK  # idle; idle, and something waits for a disk


class GivingWay:
    """Lets the copy go first while more of it comes and no processor is free."""

    def __init__(
        self,
        *,
        last_told: Callable[[], Awaitable[int | None]],  # the number of the newest page of bulk
        rested: Callable[[], float | None] = rested_seconds,
        most_seconds: float,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._last_told = last_told
        self._rested = rested
        self._most_seconds = most_seconds
        self._pause_seconds = pause_seconds
        self._told: int | None = None
        self._told_at = 0.0
        self._took_seconds = _FIRST_SECONDS
        self._waiting = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Read a batch when it is time to; one after the other while the copy goes first."""
        async with self._waiting:
            await self._wait(min(_TIMES * self._took_seconds, self._most_seconds))
        began = time.monotonic()
        yield
        self._took_seconds = time.monotonic() - began

    async def _wait(self, seconds: float) -> None:
        """Until the flow pauses, a processor is free, or it was long enough."""
        began = looked = time.monotonic()
        rested = self._rested()
        while not await self._pauses() and rested is not None and looked - began < seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            rested_before, looked_before = rested, looked
            rested, looked = self._rested(), time.monotonic()
            if rested is None or rested - rested_before >= _FREE * (looked - looked_before):
                break
        GAVE_WAY_SECONDS.inc(looked - began)

    async def _pauses(self) -> bool:
        """Whether nothing came for a while; also when that is not known."""
        told, now = await self._last_told(), time.monotonic()
        if told is not None and told != self._told:
            self._told, self._told_at = told, now
            return False
        return told is None or now - self._told_at >= self._pause_seconds

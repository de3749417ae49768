"""The words of a first sync are read beside the copy, or after it: never in its place.

Somebody who connects an account looks at its lists first. Where the copy needs every processor,
each second that goes into words comes out of it; where one is free, waiting would help nobody.
A copy that will be over soon is waited for. One may go on for days, and so do its words then, at
a fifth of their pace.
"""

import asyncio
import contextlib
import os
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from services.indexer.metrics import GAVE_WAY_SECONDS

#: Inside of it, what was told of a first sync may be read.
Turn: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]

_LOOK_SECONDS = 0.15
# Pages come some at a time. Where nothing else is to be done, a processor is free at the end.
_PAUSE_SECONDS = 1.0
_FREE = 0.5  # of a processor
# Who copies waits for a disk or a server now and then; that is no processor to spare.
_FREE_SECONDS = 0.6
_TIMES = 4  # as long as the last batch took
_FIRST_SECONDS = 1.25  # what a batch is believed to take before there was one
# Of a copy that nobody spoke of for so long it is not known whether it goes on.
_SILENT_SECONDS = 15.0
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


class Copies:
    """The first copies that are under way, as far as sync says so (CopyProgressed)."""

    def __init__(self) -> None:
        # Of each account: when sync spoke of it, and when it will be whole, where that is known.
        self._under_way: dict[UUID, tuple[float, float | None]] = {}
        self.began_at = 0.0  # the first; since then one was always under way
        self.are_over = False  # the last that was under way is, and nothing paused since

    def note(self, account_id: UUID, *, to_come: int, seconds_left: float | None) -> None:
        """So many messages of this account are still to come."""
        now = time.monotonic()
        if to_come:
            if self.end_by(now) is None:
                self.began_at = now
            ends_at = None if seconds_left is None else now + seconds_left
            self._under_way[account_id] = (now, ends_at)
            self.are_over = False
        elif self._under_way.pop(account_id, None):
            self.are_over = not self._under_way

    def end_by(self, at: float) -> bool | None:
        """Whether all will be whole by then, as far as is known; None: none is under way."""
        now = time.monotonic()
        self._under_way = {
            account_id: (said_at, ends_at)
            for account_id, (said_at, ends_at) in self._under_way.items()
            if now - said_at < _SILENT_SECONDS
        }
        if not self._under_way:
            return None
        return all(ends_at is None or ends_at <= at for _, ends_at in self._under_way.values())


class GivingWay:
    """Lets the copy go first while more of it comes and no processor is free."""

    def __init__(
        self,
        *,
        last_told: Callable[[], Awaitable[int | None]],  # the number of the newest page of bulk
        copies: Copies,
        rested: Callable[[], float | None] = rested_seconds,
        most_seconds: float,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._last_told = last_told
        self._copies = copies
        self._rested = rested
        self._most_seconds = most_seconds
        self._pause_seconds = pause_seconds
        self._told: int | None = None
        self._told_at = 0.0
        self._took_seconds = _FIRST_SECONDS
        self._waiting = asyncio.Lock()

    @property
    def is_waiting(self) -> bool:
        """Whether the copy goes first now."""
        return self._waiting.locked()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Read a batch when it is time to; one after the other while the copy goes first."""
        async with self._waiting:
            await self._wait()
        began = time.monotonic()
        yield
        self._took_seconds = time.monotonic() - began

    async def _wait(self) -> None:
        """Until all is told or the flow pauses, a processor is free, or it was long enough."""
        began = looked = time.monotonic()
        rested = self._rested()
        looks: deque[tuple[float, float]] = deque()
        while await self._comes_more() and rested is not None and looked < self._until(began):
            looks.append((looked, rested))
            while looked - looks[0][0] >= _FREE_SECONDS + _LOOK_SECONDS:
                looks.popleft()
            since, rested_then = looks[0]
            seconds = looked - since
            if seconds >= _FREE_SECONDS and rested - rested_then >= _FREE * seconds:
                break
            await asyncio.sleep(_LOOK_SECONDS)
            rested, looked = self._rested(), time.monotonic()
        GAVE_WAY_SECONDS.inc(looked - began)

    def _until(self, began: float) -> float:
        """How long a batch waits at most that began to.

        All copies together are waited for once, if they may be over by then; when that time is up,
        or is known not to suffice, a batch waits four times as long as the last one took.
        """
        latest = self._copies.began_at + self._most_seconds
        if self._copies.end_by(latest) and time.monotonic() < latest:
            return latest
        return began + min(_TIMES * self._took_seconds, self._most_seconds)

    async def _comes_more(self) -> bool:
        if await self._pauses():
            self._copies.are_over = False
            return False
        return not self._copies.are_over

    async def _pauses(self) -> bool:
        """Whether nothing came for a while; also when that is not known."""
        told, now = await self._last_told(), time.monotonic()
        if told is not None and told != self._told:
            self._told, self._told_at = told, now
            return False
        return told is None or now - self._told_at >= self._pause_seconds

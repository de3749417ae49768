"""Counting what is let through, so that all replicas together keep to the limits.

Two ways. `spend` decides by what is known here, which is never older than one interval: each
replica tells what it has let through every 200 ms, and asks before it decides where it has not
compared for longer. So all together let through a limit, and what one interval lets slip.
`spend_exactly` compares and sets before each decision, and lets nothing slip: for guessing.

While NATS is away each replica counts alone, and says so (`postbus_api_limits_alone`): mail that
can be read is worth more than a limit that is kept to the last request. What was counted then is
told when NATS is back.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import TypeVar

import msgspec
import structlog

from services.api.domain.limits import Attempts, Limit, Standing, Window, attempts_of, window_of
from services.api.metrics import LIMITS_ALONE, LIMITS_SETTLED
from shared.bus import Changed, Values, ValuesAway
from shared.telemetry import end

log = structlog.get_logger()

T = TypeVar("T")

_KEPT = 50_000  # of those who asked last
_AWAY_SECONDS = 1.0
_AT_ONCE = 100
_NONE = Attempts()


@dataclass(slots=True, eq=False)
class _Tally:
    """What is known here of one who asks and one limit."""

    limit: Limit
    key: str
    told: Window  # of all replicas, as last compared
    revision: int = 0
    pending: int = 0  # let through here, and not told yet
    compared_at: float = float("-inf")  # of the monotonic clock
    comparing: "asyncio.Task[None] | None" = None


@dataclass(slots=True, eq=False)
class _Log:
    """The attempts of one who tries."""

    known: Attempts = _NONE
    untold: Attempts = _NONE  # counted while alone
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limits:
    """What this replica has let through, and what it knows of the others."""

    def __init__(
        self,
        values: Values,
        *,
        settle_seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._values = values
        self._settle_seconds = settle_seconds
        self._now = now
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._logs: OrderedDict[str, _Log] = OrderedDict()
        self._untold: set[_Tally] = set()
        self._spent = asyncio.Event()
        self._alone_until = float("-inf")

    async def spend(self, limit: Limit, who: str) -> Standing:
        """Count a request, if it is let through. Known to within one interval."""
        key = _key(limit, who)
        tally = self._tallies.get(key)
        if tally is None:
            tally = _Tally(limit, key, Window(self._now(), 0))
            _keep(self._tallies, key, tally)
        else:
            self._tallies.move_to_end(key)
            tally.limit = limit
        if not self._is_known(tally):
            await self._compare(tally)
        now = self._now()
        if not tally.told.runs(limit, now):
            tally.told, tally.pending = Window(now, 0), 0
        standing = tally.told.standing(limit, now, more=tally.pending + 1)
        if standing.allowed:
            tally.pending += 1
            self._untold.add(tally)
            self._spent.set()
        return standing

    async def spend_exactly(self, limit: Limit, who: str) -> Standing:
        """Count an attempt, if it is let through: no replica lets through one too many."""
        key = _key(limit, who)
        kept = self._logs.get(key)
        if kept is None:
            kept = _Log()
            _keep(self._logs, key, kept)
        else:
            self._logs.move_to_end(key)
        async with kept.lock:
            lately = kept.known.lately(limit, self._now())
            if len(lately.at) >= limit.most:  # attempts are not taken back: no need to ask
                return lately.standing(limit, self._now(), allowed=False)
            if self._is_alone():
                return self._try_alone(kept, limit)
            try:
                standing = await self._try(kept, limit, key)
            except ValuesAway:
                self._went_alone()
                return self._try_alone(kept, limit)
            self._compared()
            return standing

    @asynccontextmanager
    async def settling(self) -> AsyncGenerator[None]:
        """Tell the others while inside, and at the end what is left to tell."""
        telling = asyncio.create_task(self._tell_for_ever(), name="limits")
        try:
            yield
        finally:
            await end([telling])
            await self._tell_all()

    # --- Of windows ---------------------------------------------------------------------------

    def _is_known(self, tally: _Tally) -> bool:
        if time.monotonic() - tally.compared_at < self._settle_seconds or self._is_alone():
            return True
        # What is used up stays so until the window ends.
        now = self._now()
        return tally.told.runs(tally.limit, now) and tally.told.count >= tally.limit.most

    async def _compare(self, tally: _Tally) -> None:
        """One comparison at a time, which all wait for who need it."""
        comparing = tally.comparing
        if comparing is None:
            comparing = asyncio.create_task(self._compare_one(tally))
            tally.comparing = comparing
        await asyncio.shield(comparing)

    async def _compare_one(self, tally: _Tally) -> None:
        try:
            await self._tell(tally)
            self._compared()
        except ValuesAway:
            self._went_alone()
        finally:
            tally.comparing = None

    async def _tell(self, tally: _Tally) -> None:
        """Add what was let through here to what all have let through."""
        began = time.monotonic()
        trust = tally.revision > 0
        while True:
            carried = tally.pending
            if not trust or not carried:
                there = await self._values.get(tally.key)
                window = window_of(there.data) if there else None
                tally.revision = there.revision if there else 0
                now = self._now()
                if window is not None and window.runs(tally.limit, now):
                    tally.told = window
                elif not tally.told.runs(tally.limit, now):
                    tally.told, tally.pending = Window(now, 0), 0
                # Else nobody else has begun one, or NATS forgot: what is known here counts.
                carried = tally.pending
            if carried:
                told = Window(tally.told.began, tally.told.count + carried)
                try:
                    tally.revision = await self._values.put(
                        tally.key, msgspec.json.encode(told), instead_of=tally.revision
                    )
                except Changed:
                    trust = False
                    continue
                tally.told = told
                tally.pending -= min(carried, tally.pending)
            tally.compared_at = began
            if not tally.pending:
                self._untold.discard(tally)
            return

    async def _tell_for_ever(self) -> None:
        while True:
            await self._spent.wait()
            # Twice as often as has to be, so that who asks all the time never waits for it.
            await asyncio.sleep(self._settle_seconds / 2)
            self._spent.clear()
            await self._tell_all()
            if self._untold:
                self._spent.set()

    async def _tell_all(self) -> None:
        untold = list(self._untold)
        for first in range(0, len(untold), _AT_ONCE):
            if self._is_alone():
                return
            await asyncio.gather(
                *(self._compare(tally) for tally in untold[first : first + _AT_ONCE])
            )

    # --- Of attempts --------------------------------------------------------------------------

    async def _try(self, kept: _Log, limit: Limit, key: str) -> Standing:
        while True:
            there = await self._values.get(key)
            now = self._now()
            attempts = attempts_of(there.data) if there else Attempts()
            lately = Attempts(tuple(sorted((*attempts.at, *kept.untold.at)))).lately(limit, now)
            kept.known = lately
            if len(lately.at) >= limit.most:
                return lately.standing(limit, now, allowed=False)
            try:
                await self._values.put(
                    key,
                    msgspec.json.encode(lately.with_one(now)),
                    instead_of=there.revision if there else 0,
                )
            except Changed:
                continue  # somebody was let in: it cannot go on so for longer than the limit
            kept.known, kept.untold = lately.with_one(now), Attempts()
            return kept.known.standing(limit, now, allowed=True)

    def _try_alone(self, kept: _Log, limit: Limit) -> Standing:
        now = self._now()
        lately = kept.known.lately(limit, now)
        if len(lately.at) >= limit.most:
            return lately.standing(limit, now, allowed=False)
        kept.known = lately.with_one(now)
        kept.untold = kept.untold.lately(limit, now).with_one(now)
        return kept.known.standing(limit, now, allowed=True)

    # --- With the others, and alone -------------------------------------------------------------

    def _is_alone(self) -> bool:
        return time.monotonic() < self._alone_until

    def _went_alone(self) -> None:
        if self._alone_until == float("-inf"):
            log.warning("limits are counted in this replica alone")
        self._alone_until = time.monotonic() + _AWAY_SECONDS
        LIMITS_SETTLED.labels("away").inc()
        LIMITS_ALONE.set(1)

    def _compared(self) -> None:
        if self._alone_until != float("-inf"):
            log.info("limits are counted by all replicas again")
            self._alone_until = float("-inf")
        LIMITS_SETTLED.labels("ok").inc()
        LIMITS_ALONE.set(0)


@asynccontextmanager
async def open_limits(values: Values, *, settle_seconds: float) -> AsyncGenerator[Limits]:
    """Limits that are settled with the other replicas while inside."""
    limits = Limits(values, settle_seconds=settle_seconds)
    async with limits.settling():
        yield limits


def _key(limit: Limit, who: str) -> str:
    return _named(limit.name, who)


@lru_cache(maxsize=_KEPT)
def _named(limit: str, who: str) -> str:
    """Fit for a channel, and nobody's name."""
    return f"{limit}.{blake2b(who.encode(), digest_size=16).hexdigest()}"


def _keep(all_of: OrderedDict[str, T], key: str, one: T) -> None:
    all_of[key] = one
    if len(all_of) > _KEPT:
        all_of.popitem(last=False)

"""What the parts of the api are given to work with."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from services.api.actions.connecting import Seals
from services.api.actions.hashing import Hashing
from services.api.actions.limiting import Limits
from services.api.actions.sanitising import Sanitiser
from services.api.actions.send_message import Sending
from services.api.actions.sessions import Issuer
from services.api.actions.telling import Manner
from services.api.settings import Settings
from shared.bus import Bucket, Bus, Relay
from shared.contracts.hints import LogGrew
from shared.db import Pool

T = TypeVar("T")

_MOST_SAID = 10_000
# A log that grows again so soon after the other gateways were told is told of once, at the end.
_TOLD_APART_SECONDS = 0.02


def utc_now() -> datetime:
    return datetime.now(UTC)


class Growth:
    """Lets those who follow a tenant's log wait for it to grow."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, set[asyncio.Event]] = {}
        self._times: dict[UUID, int] = {}
        self._said: dict[tuple[UUID, ...], float] = {}
        self.anything = asyncio.Event()  # some log grew; for the one who looks at all of them

    def grew(self, tenant_id: UUID) -> None:
        self.anything.set()
        if tenant_id in self._waiting:
            self._times[tenant_id] += 1
            for waiting in self._waiting[tenant_id]:
                waiting.set()

    def wake_all(self) -> None:
        for tenant_id in self._waiting:
            self.grew(tenant_id)

    def follow(self, tenant_id: UUID) -> asyncio.Event:
        """An event that is set whenever the log grows; clear it before reading."""
        event = asyncio.Event()
        self._waiting.setdefault(tenant_id, set()).add(event)
        self._times.setdefault(tenant_id, 0)
        return event

    def times(self, tenant_id: UUID) -> int:
        """How often the log of a tenant grew while somebody followed it."""
        return self._times.get(tenant_id, 0)

    def is_news(self, accounts: tuple[UUID, ...], seconds: float) -> bool:
        """Whether nobody has said within so many seconds that these accounts are watched."""
        now = time.monotonic()
        if accounts in self._said and now - self._said[accounts] < seconds:
            return False
        if len(self._said) >= _MOST_SAID:
            self._said.clear()
        self._said[accounts] = now
        return True

    @property
    def followed(self) -> list[UUID]:
        """The tenants whose logs somebody follows."""
        return list(self._waiting)

    def followers(self, tenant_id: UUID) -> int:
        return len(self._waiting.get(tenant_id, ()))

    def unfollow(self, tenant_id: UUID, event: asyncio.Event) -> None:
        waiting = self._waiting[tenant_id]
        waiting.discard(event)
        if not waiting:
            del self._waiting[tenant_id]
            del self._times[tenant_id]


class Spreading:
    """Tells the other gateways that a log grew: the first time at once, then not each time."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._grew_since: dict[UUID, int | None] = {}  # by the tenant that was just told of
        self._telling: set[asyncio.Task[None]] = set()

    def grew(self, tenant_id: UUID, seq: int) -> None:
        if tenant_id in self._grew_since:
            self._grew_since[tenant_id] = seq
            return
        self._grew_since[tenant_id] = None
        loop = asyncio.get_running_loop()
        loop.call_later(_TOLD_APART_SECONDS, self._again, tenant_id)
        task = loop.create_task(self._bus.hint(LogGrew(tenant_id=tenant_id, seq=seq)))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _again(self, tenant_id: UUID) -> None:
        seq = self._grew_since.pop(tenant_id)
        if seq is not None:
            self.grew(tenant_id, seq)


class Sharing:
    """What several ask for in the same moment is found out once."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}
        self._next: dict[Hashable, asyncio.Task[Any]] = {}  # not asked yet

    async def once(self, key: Hashable, find: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer to this question; of one that somebody has just asked, theirs."""
        asked = self._asked.get(key)
        if asked is None:
            asked = asyncio.create_task(find())
            self._asked[key] = asked
            asked.add_done_callback(lambda done: self._answered(key, done))
        return await asyncio.shield(asked)  # who goes away leaves it to the others

    async def anew(self, key: Hashable, find: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer to this question, asked from now on: what was asked before does not count.

        While one is asked, those who come share the next.
        """
        waiting = self._next.get(key)
        if waiting is None:
            waiting = asyncio.create_task(self._after(key, self._asked.get(key), find))
            self._next[key] = waiting
        return await asyncio.shield(waiting)

    async def _after(
        self,
        key: Hashable,
        before: "asyncio.Task[Any] | None",
        find: Callable[[], Coroutine[Any, Any, T]],
    ) -> T:
        if before is not None:
            await asyncio.wait([before])
        task = self._next.pop(key)
        self._asked[key] = task
        task.add_done_callback(lambda done: self._answered(key, done))
        return await find()

    def _answered(self, key: Hashable, done: "asyncio.Task[Any]") -> None:
        if self._asked.get(key) is done:
            del self._asked[key]
        if not done.cancelled():
            done.exception()  # looked at, also where everybody has gone


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Pools, bus, keys, and what wakes what."""

    settings: Settings
    pool: Pool  # role api
    request_pool: Pool  # role api_request: acts for callers
    bus: Bus
    relay: Relay
    issuer: Issuer
    seals: Seals
    sanitiser: Sanitiser
    hashing: Hashing
    limits: Limits
    sending: Sending
    manner: Manner
    clock: Callable[[], datetime] = utc_now
    spreading: Spreading
    growth: Growth = field(default_factory=Growth)
    sharing: Sharing = field(default_factory=Sharing)
    to_forget: asyncio.Event = field(default_factory=asyncio.Event)  # there is deletion to do
    to_deliver: asyncio.Event = field(default_factory=asyncio.Event)  # webhooks have news
    to_gather: asyncio.Event = field(default_factory=asyncio.Event)  # a job has more messages
    to_mail: asyncio.Event = field(default_factory=asyncio.Event)  # somebody is to be written to
    closing: asyncio.Event = field(default_factory=asyncio.Event)  # streams are to end

    @property
    def bucket(self) -> Bucket:
        """What was fetched from mail servers for those who open it."""
        return Bucket(self.bus)

    async def committed(self, grew: Mapping[UUID, int], *, told: bool = False) -> None:
        """Something was committed: let followers of the log, and the relay, not wait for a poll."""
        if told:
            self.relay.wake()
        for tenant_id, seq in grew.items():
            self.growth.grew(tenant_id)
            self.spreading.grew(tenant_id, seq)

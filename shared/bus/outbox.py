"""Facts and commands leave through a table: written with the rows they speak of, published after.

The table `outbox` is the service's own (docs/decisions/0003). A row leaves it at the stream's
PubAck and not before; it may be published twice, and every listener must bear that. The live
lane and the fill lane are relayed apart, so that a full FILL stream never holds a live fact.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import nats.errors
import structlog
from nats.js.api import Header

from shared.bus.connection import Bus
from shared.bus.metrics import OUTBOX_OLDEST_SECONDS, OUTBOX_WAITING, PUBLISHED
from shared.contracts.catalogue import FACTS
from shared.contracts.envelope import Lane, Told, encode, pack
from shared.db import Connection, Pool, is_away
from shared.telemetry import end

log = structlog.get_logger()

MAX_BYTES = 7 * 1024 * 1024  # under the servers' max_payload of 8 MiB

_ROWS = {Lane.LIVE: 128, Lane.FILL: 16}
_POLL_SECONDS = 0.5
_REFUSED_SECONDS = 1.0
# One round follows another after this time: what is told together costs one round.
_BETWEEN_SECONDS = 0.005
_GAUGE_SECONDS = 5.0
_FILL_RATIO = 0.5


class TooLarge(ValueError):
    """This fact or command is larger than the bus carries."""


async def tell(connection: Connection, *told: Told) -> None:
    """Let these be told once this transaction commits."""
    if not told:
        return
    bodies = [encode(one) for one in told]
    for one, body in zip(told, bodies, strict=True):
        if len(body) > MAX_BYTES:
            raise TooLarge(f"{one.channel} of {len(body)} bytes")
    subjects = [one.nats_subject() for one in told]
    await connection.execute(
        """
        INSERT INTO outbox (lane, subject, event_id, body)
        SELECT lane, subject, event_id, body
          FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[]) WITH ORDINALITY
            AS told (lane, subject, event_id, body, n)
         ORDER BY n
        """,
        [_lane_of(subject).value for subject in subjects],
        subjects,
        [one.event_id for one in told],
        [pack(body) for body in bodies],
    )


def _lanes_of(service: str) -> list[Lane]:
    """Where a service tells what it tells; commands are live."""
    told = {_lane_of(fact.contract.channel) for fact in FACTS if fact.voice == service}
    return [lane for lane in Lane if lane is Lane.LIVE or lane in told]


def _lane_of(subject: str) -> Lane:
    return Lane.FILL if subject.startswith("fill.") else Lane.LIVE


class Relay:
    """Publishes what the outbox holds, oldest first in each lane, until it is empty."""

    def __init__(self, bus: Bus, pool: Pool) -> None:
        self._bus = bus
        self._pool = pool
        self._woken = {lane: asyncio.Event() for lane in _lanes_of(bus.service)}
        self._fill_checked = 0.0
        self._fill_has_room = True

    def wake(self, *lanes: Lane) -> None:
        """Something was written and committed: do not wait for the next look.

        Live facts and commands, where no lane is named: they are what somebody waits for.
        """
        for lane in lanes or (Lane.LIVE,):
            if lane in self._woken:
                self._woken[lane].set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Relay every lane that this service tells in while inside."""
        tasks = [
            asyncio.create_task(self._lane(lane), name=f"relay {lane}") for lane in self._woken
        ]
        tasks.append(asyncio.create_task(self._gauges(), name="relay gauges"))
        try:
            yield
        finally:
            await end(tasks)

    async def _lane(self, lane: Lane) -> None:
        woken = self._woken[lane]
        while True:
            woken.clear()
            refused = False
            try:
                if lane is Lane.LIVE or await self._has_room():
                    next_at = time.monotonic() + _BETWEEN_SECONDS
                    published, refused = await self._publish(lane)
                    # Fewer than there may be were all: what came since has woken us.
                    if published == _ROWS[lane] and not refused:
                        continue
                    if published:
                        await asyncio.sleep(max(0.0, next_at - time.monotonic()))
                else:
                    refused = True
            except Exception as error:
                # Nothing is lost: the rows stay. Anything but an absent database is a bug to see.
                if not is_away(error) and not isinstance(error, nats.errors.Error):
                    log.exception("relay failed", lane=lane.value)
                refused = True
            try:
                async with asyncio.timeout(_REFUSED_SECONDS if refused else _POLL_SECONDS):
                    if refused:
                        await asyncio.Event().wait()  # a wake would only be refused again
                    await woken.wait()
            except TimeoutError:
                continue

    async def _publish(self, lane: Lane) -> tuple[int, bool]:
        """How many rows left the outbox, and whether the stream refused any."""
        async with self._pool.acquire() as connection:
            # Should the server fall before it is on disk that they left, they are told twice, as
            # they may be. What can be said together is said in one step: this is done all day.
            try:
                await connection.execute("BEGIN; SET LOCAL synchronous_commit = off")
                rows = await connection.fetch(
                    """
                    SELECT position, subject, event_id, body FROM outbox
                     WHERE lane = $1 ORDER BY position LIMIT $2 FOR UPDATE SKIP LOCKED
                    """,
                    lane.value,
                    _ROWS[lane],
                )
                done = await self._published(lane, rows)
                # Positions are whole numbers, so they need no quoting.
                gone = ",".join(str(position) for position in done)
                delete = f"DELETE FROM outbox WHERE position IN ({gone});" if done else ""  # noqa: S608
                await connection.execute(f"{delete} COMMIT")
            except BaseException:
                # The pool resets nothing: whoever comes next must not meet our transaction.
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
        if rows:
            PUBLISHED.labels(self._bus.service, "ok").inc(len(done))
            PUBLISHED.labels(self._bus.service, "refused").inc(len(rows) - len(done))
        return len(done), len(done) < len(rows)

    async def _published(self, lane: Lane, rows: Sequence[asyncpg.Record]) -> list[int]:
        """The positions of those that the stream has taken."""
        results = await asyncio.gather(*(self._one(row) for row in rows), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                log.warning("publishing refused", lane=lane.value, error=repr(result))
                break
        return [
            row["position"]
            for row, result in zip(rows, results, strict=True)
            if not isinstance(result, BaseException)
        ]

    async def _one(self, row: asyncpg.Record) -> None:
        await self._bus.js.publish(
            row["subject"],
            row["body"],
            timeout=5.0,
            headers={Header.MSG_ID.value: str(row["event_id"])},
        )

    async def _has_room(self) -> bool:
        """Whether FILL is less than half full, so that a retell or another account fits too."""
        if time.monotonic() - self._fill_checked > _REFUSED_SECONDS:
            if not await self._any(Lane.FILL):
                return True
            info = await self._bus.js.stream_info("FILL")
            limit = info.config.max_bytes or 0
            self._fill_has_room = limit <= 0 or info.state.bytes < limit * _FILL_RATIO
            self._fill_checked = time.monotonic()
        return self._fill_has_room

    async def _any(self, lane: Lane) -> bool:
        return bool(
            await self._pool.fetchval("SELECT 1 FROM outbox WHERE lane = $1 LIMIT 1", lane.value)
        )

    async def _gauges(self) -> None:
        while True:
            try:
                row = await self._pool.fetchrow(
                    """
                    SELECT count(*) AS waiting,
                           coalesce(extract(epoch FROM now() - min(written_at)), 0) AS oldest
                      FROM outbox
                    """
                )
                if row is not None:
                    OUTBOX_WAITING.labels(self._bus.service).set(row["waiting"])
                    OUTBOX_OLDEST_SECONDS.labels(self._bus.service).set(float(row["oldest"]))
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                log.debug("outbox not measured", error=str(error))
            await asyncio.sleep(_GAUGE_SECONDS)

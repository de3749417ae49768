"""Our own pull loop: batches from a durable consumer, and what becomes of each message."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.api import Header

from shared.bus.batches import Batches, CannotPull
from shared.bus.connection import Bus
from shared.bus.metrics import CONSUMED, CONSUMER_PENDING
from shared.bus.topology import ACK_WAIT_SECONDS, stream_of
from shared.bus.verdict import GiveUp, Retry
from shared.contracts.envelope import Told, decode
from shared.db import is_away

log = structlog.get_logger()

# After this many deliveries of a message that fails, it is buried. Redelivery after a crash
# counts too, so a message is buried only when it has also failed in this very delivery.
FAILURES = 6
# "The world was not ready" is no failure of the message, but it does not wait for ever either.
RETRIES = 500
_WAITED_SECONDS = 5.0
_AWAY_SECONDS = 1.0
# What comes soon after something else comes together with what follows it.
_BETWEEN_SECONDS = 0.005
# For so long, at most: one batch that takes long does not hold up the others.
_COMPANY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 60.0

REASON_HEADER = "Postbus-Reason"
SUBJECT_HEADER = "Postbus-Subject"
DELIVERIES_HEADER = "Postbus-Deliveries"


class Puller:
    """Reads one durable consumer for ever."""

    def __init__(
        self,
        bus: Bus,
        *,
        contract: type[Told],
        consumer: str,
        handle: Callable[[list[Any]], Awaitable[None]],
        one_by_one: bool,
        several: int | None = None,
    ) -> None:
        self.consumer = consumer
        self._bus = bus
        self._contract = contract
        self._handle = handle
        self._one_by_one = one_by_one
        self._several = several or bus.settings.bus_batch_messages
        for result in ("ok", "retried", "buried"):
            CONSUMED.labels(consumer, result)

    async def run(self) -> None:
        """Read for ever. A bug of ours here is logged, and what was in hand comes again."""
        while True:
            try:
                await self._pull()
            except Exception:
                log.exception("consumer begins anew", consumer=self.consumer)
                await asyncio.sleep(_AWAY_SECONDS)

    async def _pull(self) -> None:
        """Pull, handle, acknowledge; at most so many batches at a time as the settings say."""
        slots = asyncio.Semaphore(self._bus.settings.bus_batches_in_flight)
        stream = stream_of(self._contract)
        async with (
            Batches.of(self._bus.nats, stream=stream, consumer=self.consumer) as batches,
            asyncio.TaskGroup() as working,
        ):
            while True:
                await slots.acquire()
                messages = await self._next(batches)
                if not messages:
                    slots.release()
                    continue
                pending = messages[-1].metadata.num_pending
                CONSUMER_PENDING.labels(self.consumer).set(pending)
                task = working.create_task(self._batch(messages))
                task.add_done_callback(lambda _: slots.release())
                if len(messages) < self._several:
                    # What comes while this is worked on goes together after it, where it may.
                    if not self._one_by_one:
                        await asyncio.wait({task}, timeout=_COMPANY_SECONDS)
                    await asyncio.sleep(_BETWEEN_SECONDS)

    async def _next(self, batches: Batches) -> list[Msg]:
        try:
            messages = await batches.next(self._several, seconds=_WAITED_SECONDS)
        except (CannotPull, nats.errors.Error) as error:
            # The consumer is not there (yet), or the bus is away: its owner brings it back.
            log.warning("cannot pull", consumer=self.consumer, error=str(error))
            await asyncio.sleep(_AWAY_SECONDS)
            return []
        if not messages:
            CONSUMER_PENDING.labels(self.consumer).set(0)
        return messages

    async def _batch(self, messages: list[Msg]) -> None:
        try:
            async with self._kept_ours(messages):
                readable: list[tuple[Msg, Told]] = []
                for message in messages:
                    try:
                        readable.append((message, decode(message.data, self._contract)))
                    except msgspec.MsgspecError as error:
                        await self._bury(message, f"cannot be read: {error}")
                if self._one_by_one:
                    for one in readable:
                        await self._work([one])
                elif readable:
                    await self._work(readable)
        except nats.errors.Error as error:
            # Could not acknowledge: it will be delivered again, which every handler bears.
            log.warning("not acknowledged", consumer=self.consumer, error=str(error))

    async def _work(self, batch: list[tuple[Msg, Told]]) -> None:
        while True:
            try:
                with structlog.contextvars.bound_contextvars(**_names(batch)):
                    await self._handle([told for _, told in batch])
            except Exception as error:  # noqa: BLE001 - decided upon, never swallowed
                if is_away(error):
                    # No fault of the batch: hold it, pull nothing more, try again.
                    log.warning("database away", consumer=self.consumer, error=str(error))
                    await asyncio.sleep(_AWAY_SECONDS)
                    continue
                if len(batch) > 1:
                    log.info(
                        "batch failed, one by one now", consumer=self.consumer, error=repr(error)
                    )
                    for one in batch:
                        await self._work([one])
                    return
                await self._failed(batch[0][0], error)
                return
            for message, _ in batch:
                await message.ack()
            CONSUMED.labels(self.consumer, "ok").inc(len(batch))
            return

    async def _failed(self, message: Msg, error: Exception) -> None:
        deliveries = message.metadata.num_delivered
        if isinstance(error, GiveUp):
            await self._bury(message, str(error))
            return
        if isinstance(error, Retry):
            log.info("not ready", consumer=self.consumer, reason=str(error))
            limit, delay = RETRIES, error.after_seconds
        else:
            log.error(
                "message failed", consumer=self.consumer, deliveries=deliveries, exc_info=error
            )
            limit, delay = FAILURES, 2.0 ** min(deliveries, 6) / 2
        if deliveries >= limit:
            await self._bury(message, repr(error))
            return
        await message.nak(delay=min(delay, _LONGEST_DELAY_SECONDS))
        CONSUMED.labels(self.consumer, "retried").inc()

    async def _bury(self, message: Msg, reason: str) -> None:
        """Put the message where people look at it; only then let go of it here."""
        metadata = message.metadata
        headers = {
            REASON_HEADER: " ".join(reason.split())[:500],
            SUBJECT_HEADER: message.subject,
            DELIVERIES_HEADER: str(metadata.num_delivered),
            Header.MSG_ID.value: f"{self.consumer}:{metadata.sequence.stream}",
        }
        try:
            await self._bus.js.publish(f"dead.{self.consumer}", message.data, headers=headers)
        except (nats.errors.Error, TimeoutError) as error:
            log.error("cannot bury", consumer=self.consumer, error=str(error))
            await message.nak(delay=_LONGEST_DELAY_SECONDS / 2)
            return
        await message.ack()
        CONSUMED.labels(self.consumer, "buried").inc()
        log.error(
            "message buried",
            consumer=self.consumer,
            reason=reason,
            stream_sequence=metadata.sequence.stream,
        )

    @asynccontextmanager
    async def _kept_ours(self, messages: list[Msg]) -> AsyncGenerator[None]:
        """Tell the server, while we work, that these messages are still being worked on."""

        async def remind() -> None:
            while True:
                await asyncio.sleep(ACK_WAIT_SECONDS / 3)
                for message in messages:
                    if not message.is_acked:
                        try:
                            await message.in_progress()
                        except nats.errors.Error as error:
                            log.debug("not reminded", error=str(error))

        reminder = asyncio.create_task(remind())
        try:
            yield
        finally:
            reminder.cancel()


def _names(batch: list[tuple[Msg, Told]]) -> dict[str, str]:
    if len(batch) != 1:
        return {}
    told = batch[0][1]
    return {"event_id": str(told.event_id), "tenant_id": str(told.tenant_id)}

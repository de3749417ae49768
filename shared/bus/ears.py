"""How a service hears: one thin function per channel, and one place that decides on failures.

What is kept in a stream is read by our own pull loop (docs/decisions/0015): it takes at once what
is there, each message is decoded by itself, and a failed batch is retried one by one, so that
only the guilty message is delayed or buried. Queries and hints are served by FastStream.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from faststream.message import StreamMessage
from faststream.nats import NatsResponse

from shared.bus.connection import FAILED_HEADER, Bus
from shared.bus.pull import Puller
from shared.contracts.catalogue import durable
from shared.contracts.envelope import Command, Event, Hint, Query, Told, decode, encode
from shared.telemetry import end

log = structlog.get_logger()

W = TypeVar("W")
E = TypeVar("E", bound=Event)
C = TypeVar("C", bound=Command)
Q = TypeVar("Q", bound=Query)
H = TypeVar("H", bound=Hint)

Batch = Callable[[list[Any], Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Heard:
    contract: type[Told]
    handle: Batch
    one_by_one: bool
    several: int | None = None  # messages taken at a time, where the settings do not say it


class Ears(Generic[W]):
    """Everything one service hears, obeys, answers and notices."""

    def __init__(self, service: str) -> None:
        self.service = service
        self._heard: list[_Heard] = []
        self._answered: list[tuple[type[Query], Callable[[Any, Any], Awaitable[Any]]]] = []
        self._noticed: list[tuple[type[Hint], Callable[[Any, Any], Awaitable[None]]]] = []

    @property
    def contracts(self) -> set[type]:
        """Every contract that has a function here."""
        return {
            *(heard.contract for heard in self._heard),
            *(contract for contract, _ in self._answered),
            *(contract for contract, _ in self._noticed),
        }

    def hear(
        self, contract: type[E], *, several: int | None = None
    ) -> Callable[
        [Callable[[list[E], W], Awaitable[None]]], Callable[[list[E], W], Awaitable[None]]
    ]:
        """This function hears a fact, as many at a time as are there: at most `several`, or as
        the settings say, which is few, for a fact may be a page of 400 KiB.
        """

        def remember(
            handle: Callable[[list[E], W], Awaitable[None]],
        ) -> Callable[[list[E], W], Awaitable[None]]:
            self._heard.append(_Heard(contract, handle, one_by_one=False, several=several))
            return handle

        return remember

    def obey(
        self, contract: type[C], *, at_once: int = 1
    ) -> Callable[[Callable[[C, W], Awaitable[None]]], Callable[[C, W], Awaitable[None]]]:
        """This function obeys a command: one after the other, or so many `at_once`.

        Where one of several fails, all of them come again, one by one: it must bear that.
        """

        def remember(
            handle: Callable[[C, W], Awaitable[None]],
        ) -> Callable[[C, W], Awaitable[None]]:
            async def each(commands: list[C], world: W) -> None:
                # Those that are under way end before the batch is taken up anew.
                ended = await asyncio.gather(
                    *(handle(command, world) for command in commands), return_exceptions=True
                )
                for one in ended:
                    if one is not None:
                        raise one

            several = at_once if at_once > 1 else None
            self._heard.append(_Heard(contract, each, one_by_one=several is None, several=several))
            return handle

        return remember

    def obey_several(
        self, contract: type[C], *, several: int
    ) -> Callable[
        [Callable[[list[C], W], Awaitable[None]]], Callable[[list[C], W], Awaitable[None]]
    ]:
        """This function obeys a command, as many at a time as are there, at most `several`.

        Where it fails, it is called again with each alone.
        """

        def remember(
            handle: Callable[[list[C], W], Awaitable[None]],
        ) -> Callable[[list[C], W], Awaitable[None]]:
            self._heard.append(_Heard(contract, handle, one_by_one=False, several=several))
            return handle

        return remember

    def answer(
        self, contract: type[Q]
    ) -> Callable[[Callable[[Q, W], Awaitable[Any]]], Callable[[Q, W], Awaitable[Any]]]:
        """This function answers a question."""

        def remember(
            handle: Callable[[Q, W], Awaitable[Any]],
        ) -> Callable[[Q, W], Awaitable[Any]]:
            self._answered.append((contract, handle))
            return handle

        return remember

    def notice(
        self, contract: type[H]
    ) -> Callable[[Callable[[H, W], Awaitable[None]]], Callable[[H, W], Awaitable[None]]]:
        """This function is nudged by a hint, in every replica."""

        def remember(
            handle: Callable[[H, W], Awaitable[None]],
        ) -> Callable[[H, W], Awaitable[None]]:
            self._noticed.append((contract, handle))
            return handle

        return remember

    @asynccontextmanager
    async def open(
        self, bus: Bus, world: W, *, only: Sequence[type] | None = None
    ) -> AsyncGenerator[None]:
        """Listen while inside. `only` leaves out what this process's role does not serve."""

        def wanted(contract: type) -> bool:
            return only is None or contract in only

        for contract, handle in self._answered:
            if wanted(contract):
                self._serve(bus, world, contract, handle)
        for contract, handle in self._noticed:
            if wanted(contract):
                self._nudge(bus, world, contract, handle)
        await bus.listen()
        pullers = [
            Puller(
                bus,
                contract=heard.contract,
                consumer=durable(self.service, heard.contract),
                handle=_with(heard.handle, world),
                one_by_one=heard.one_by_one,
                several=heard.several,
            )
            for heard in self._heard
            if wanted(heard.contract)
        ]
        tasks = [asyncio.create_task(puller.run(), name=puller.consumer) for puller in pullers]
        try:
            yield
        finally:
            await end(tasks)

    def _serve(
        self,
        bus: Bus,
        world: W,
        contract: type[Query],
        handle: Callable[[Any, Any], Awaitable[Any]],
    ) -> None:
        async def serve(body: bytes) -> NatsResponse:
            try:
                query = decode(body, contract)
                with structlog.contextvars.bound_contextvars(
                    request_id=query.caller.request_id, tenant_id=str(query.caller.tenant_id)
                ):
                    return NatsResponse(encode(await handle(query, world)))
            except Exception:
                # The asker hears at once that there is no answer, instead of waiting for it.
                log.exception("query failed", channel=contract.channel)
                return NatsResponse(b"", headers={FAILED_HEADER: "1"})

        bus.broker.subscriber(
            contract.channel,
            queue=self.service,
            decoder=_as_it_came,
            max_workers=bus.settings.bus_queries_at_once,
        )(serve)

    def _nudge(
        self,
        bus: Bus,
        world: W,
        contract: type[Hint],
        handle: Callable[[Any, Any], Awaitable[None]],
    ) -> None:
        async def nudge(body: bytes) -> None:
            try:
                await handle(decode(body, contract), world)
            except msgspec.MsgspecError as error:
                log.warning("hint cannot be read", channel=contract.channel, error=str(error))

        bus.broker.subscriber(contract.channel, decoder=_as_it_came)(nudge)


async def _as_it_came(message: StreamMessage[Any]) -> bytes:
    return message.body


def _with(handle: Batch, world: Any) -> Callable[[list[Any]], Awaitable[None]]:
    async def handle_batch(batch: list[Any]) -> None:
        await handle(batch, world)

    return handle_batch

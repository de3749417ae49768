"""A service's connection to NATS, as the user that may tell and hear what its card says."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import nats.aio.client
import nats.errors
import structlog
from faststream.nats import NatsBroker
from faststream.nats.prometheus import NatsPrometheusMiddleware
from faststream.security import BaseSecurity
from nats.aio.client import Client
from nats.js import JetStreamContext
from prometheus_client import REGISTRY
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from shared.contracts.envelope import Hint, Query, decode, encode
from shared.telemetry.secret_files import completed

log = structlog.get_logger()

T = TypeVar("T")

FAILED_HEADER = "Postbus-Failed"
_CONNECT_RETRY_SECONDS = 0.5

# nats-py uses fast_mail_parser for message headers when it is installed; version 0.10 answers
# with lists, and every header it reads is then wrong. Without it nats-py parses them itself.
nats.aio.client.parse_email = None  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue]


class BusSettings(BaseSettings):
    """Where NATS is, as whom to come, and how much to take at a time."""

    bus_url: SecretStr = Field(description="NATS address with the service's user and password.")
    bus_password: SecretStr | None = Field(
        default=None, description="The user's password, where the address holds none."
    )
    bus_ca_file: Path | None = Field(
        default=None,
        description="The authority that NATS's certificate must come from; then TLS is spoken.",
    )
    bus_batch_messages: int = Field(
        default=16, ge=1, le=500, description="Messages taken from a stream at a time."
    )
    bus_batches_in_flight: int = Field(
        default=2, ge=1, le=16, description="Batches of one consumer worked on at a time."
    )
    bus_queries_at_once: int = Field(
        default=32, ge=1, description="Questions of one kind answered at a time."
    )

    @model_validator(mode="before")
    @classmethod
    def _come_with_password(cls, given: Any) -> Any:
        return completed(given, bus_url="bus_password")


class NoAnswer(Exception):
    """Nobody answered this question in time."""


class Bus:
    """An open connection: what goes out directly, and what Ears and Relay are built on."""

    def __init__(
        self, broker: NatsBroker, nats: Client, service: str, settings: BusSettings
    ) -> None:
        self.broker = broker
        self.nats = nats
        self.js: JetStreamContext = nats.jetstream(timeout=5.0)
        self.service = service
        self.settings = settings

    @property
    def is_connected(self) -> bool:
        return self.nats.is_connected

    async def ask(self, query: Query, answer: type[T]) -> T:
        """The answer; raises NoAnswer past the deadline or when the answerer fails."""
        try:
            reply = await self.nats.request(
                query.channel, encode(query), timeout=query.deadline_seconds
            )
        except nats.errors.NoRespondersError as error:
            raise NoAnswer(f"nobody answers {query.channel}") from error
        except (nats.errors.Error, TimeoutError) as error:
            raise NoAnswer(f"no answer to {query.channel} in time") from error
        if reply.headers and FAILED_HEADER in reply.headers:
            raise NoAnswer(f"{query.channel} failed")
        try:
            return decode(reply.data, answer)
        except msgspec.MsgspecError as error:
            raise NoAnswer(f"the answer to {query.channel} cannot be read") from error

    async def hint(self, hint: Hint) -> None:
        """Nudge whoever listens; lost without harm when the bus is away."""
        if self.nats.is_connected:
            try:
                await self.nats.publish(hint.channel, encode(hint))
            except nats.errors.Error as error:
                log.debug("hint lost", channel=hint.channel, error=str(error))

    async def listen(self) -> None:
        """Begin to answer and to notice: whoever asks after this returned is heard."""
        await self.broker.start()
        try:
            await self.nats.flush()
        except nats.errors.Error as error:  # away again: it is told what we hear when it is back
            log.debug("not known to be heard", error=str(error))


@asynccontextmanager
async def open_bus(settings: BusSettings, *, service: str) -> AsyncGenerator[Bus]:
    """Connect, waiting until NATS is there; reconnects by itself for ever after."""
    tls = trusting(settings.bus_ca_file)
    broker = NatsBroker(
        settings.bus_url.get_secret_value(),
        security=BaseSecurity(ssl_context=tls) if tls else None,
        name=service,
        inbox_prefix=f"_INBOX.{service}".encode(),
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        ping_interval=10,
        max_outstanding_pings=2,
        connect_timeout=5,
        error_cb=_Complaints(service),
        middlewares=[
            NatsPrometheusMiddleware(
                registry=REGISTRY, app_name=service, metrics_prefix="postbus_bus"
            )
        ],
        logger=None,
        # Our functions take the bytes as they came; finding out what else they may want would
        # take each message through a thread.
        apply_types=False,
        graceful_timeout=10,
    )
    connection = await _when_there(broker, settings, service, tls)
    bus = Bus(broker, connection, service, settings)
    try:
        yield bus
    finally:
        try:
            async with asyncio.timeout(10):
                await broker.stop()
        except (TimeoutError, nats.errors.Error) as error:
            log.warning("bus closed without draining", error=str(error))


def trusting(authority: Path | None) -> ssl.SSLContext | None:
    """TLS that believes this authority alone; None where the bus speaks without."""
    return ssl.create_default_context(cafile=authority) if authority else None


async def _when_there(
    broker: NatsBroker, settings: BusSettings, service: str, tls: ssl.SSLContext | None
) -> Client:
    # FastStream's own connect would wait inside nats-py without a word; so we look first.
    said: str | None = None
    while True:
        try:
            probe = await nats.connect(
                settings.bus_url.get_secret_value(),
                allow_reconnect=False,
                connect_timeout=2,
                inbox_prefix=f"_INBOX.{service}".encode(),
                tls=tls,
            )
            await probe.close()
            return await broker.connect()
        except (OSError, TimeoutError, nats.errors.Error) as error:
            if str(error) != said:
                said = str(error)
                log.warning("waiting for the bus", error=said)
            await asyncio.sleep(_CONNECT_RETRY_SECONDS)


class _Complaints:
    """Logs what nats-py reports from its background tasks, once per kind until it changes."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._last = ""

    async def __call__(self, error: Exception) -> None:
        said = f"{type(error).__name__}: {error}"
        if said != self._last:
            self._last = said
            log.warning("bus trouble", service=self._service, error=said)

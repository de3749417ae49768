"""The streams and consumers of this release, and the one step that makes the servers agree.

Declared nowhere else: a subscriber that declares in passing never updates what is there
(nats-py's pull_subscribe). `apply` creates and updates; it refuses to go back to an older
version, and says which listeners must be told everything again because their consumer is new.
"""

import os
from dataclasses import dataclass
from uuid import UUID

import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    Header,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
)
from uuid_utils.compat import uuid7

from shared.bus import bucket, values
from shared.contracts.account import RetellAccount
from shared.contracts.catalogue import FACTS, ORDERS, SERVICES, durable, heard_by
from shared.contracts.envelope import Told, encode
from shared.contracts.mail import MessagesRetold

log = structlog.get_logger()

VERSION = 4  # raise it with any change of streams or consumers
ACK_WAIT_SECONDS = 30.0
_VERSION_KEY = "postbus-topology"
_MIB = 1024 * 1024
_DAY_SECONDS = 24 * 3600.0
_STREAM_NOT_FOUND = 10059
_CONSUMER_NOT_FOUND = 10014


class OlderThanServers(Exception):
    """The servers hold the streams of a newer release; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream: what it keeps, for how long, and what happens when it is full."""

    name: str
    first_token: str
    retention: RetentionPolicy
    max_mebibytes: int  # a setting may change it: BUS_<NAME>_MAX_MEBIBYTES
    discard: DiscardPolicy = DiscardPolicy.NEW  # a full stream refuses; rows wait in the outbox
    max_age_seconds: float = 0.0
    is_bucket: bool = False  # each subject keeps its last message, read directly

    def config(self) -> StreamConfig:
        mebibytes = int(os.environ.get(f"BUS_{self.name}_MAX_MEBIBYTES", self.max_mebibytes))
        return StreamConfig(
            name=self.name,
            subjects=[f"{self.first_token}.>"],
            retention=self.retention,
            discard=self.discard,
            max_bytes=mebibytes * _MIB,
            max_age=self.max_age_seconds,
            storage=StorageType.FILE,
            compression=StoreCompression.NONE if self.is_bucket else StoreCompression.S2,
            max_msgs_per_subject=1 if self.is_bucket else -1,
            duplicate_window=120.0,
            num_replicas=1 if self.is_bucket else int(os.environ.get("BUS_REPLICAS", "1")),
            allow_direct=self.is_bucket,
            metadata={_VERSION_KEY: str(VERSION)},
        )


STREAMS = (
    Stream("MAIL", "mail", RetentionPolicy.INTEREST, 1024),
    Stream("FILL", "fill", RetentionPolicy.INTEREST, 1024),
    Stream("SYNC", "sync", RetentionPolicy.WORK_QUEUE, 256),
    Stream("SENDER", "sender", RetentionPolicy.WORK_QUEUE, 512),
    Stream("DEAD", "dead", RetentionPolicy.LIMITS, 256, DiscardPolicy.OLD, 30 * _DAY_SECONDS),
    Stream(
        bucket.STREAM,
        bucket.FIRST_TOKEN,
        RetentionPolicy.LIMITS,
        1024,
        DiscardPolicy.OLD,
        _DAY_SECONDS,
        is_bucket=True,
    ),
    Stream(
        values.STREAM,
        values.FIRST_TOKEN,
        RetentionPolicy.LIMITS,
        64,
        DiscardPolicy.OLD,
        _DAY_SECONDS,
        # In files, though what was counted may be forgotten: a stream in memory is gone itself when
        # NATS starts anew, and only the next deploy would make it again.
        is_bucket=True,
    ),
)
_BY_TOKEN = {stream.first_token: stream.name for stream in STREAMS}


def stream_of(contract: type[Told]) -> str:
    """The stream that keeps what travels on this contract's channel."""
    return _BY_TOKEN[contract.channel.partition(".")[0]]


def consumers() -> dict[str, tuple[str, type[Told]]]:
    """Every durable consumer by name: its service and what it hears."""
    return {
        durable(service, contract): (service, contract)
        for service in SERVICES
        for contract in heard_by(service)
    }


def _consumer_config(name: str, contract: type[Told]) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=name,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=-1,  # the pull loop decides, by the delivery count
        max_ack_pending=1000,
        filter_subject=contract.channel,
        metadata={_VERSION_KEY: str(VERSION)},
    )


@dataclass(frozen=True, slots=True)
class Applied:
    """What `apply` found and did."""

    made: tuple[str, ...]  # streams and consumers
    removed: tuple[str, ...]  # consumers of earlier releases
    to_be_told_again: tuple[str, ...]  # services


async def apply(nats: Client) -> Applied:
    """Make the servers' streams and consumers those of this release; safe to repeat."""
    js = nats.jetstream(timeout=10.0)
    await _refuse_to_go_back(js)
    made: list[str] = []
    existed: set[str] = set()
    for stream in STREAMS:
        if await _stream(js, stream):
            made.append(stream.name)
        else:
            existed.add(stream.name)
    missed: set[str] = set()
    for name, (service, contract) in consumers().items():
        stream = stream_of(contract)
        if not await _consumer_exists(js, stream, name):
            made.append(name)
            # Facts told before this consumer existed passed it by.
            if stream in existed and contract not in _ORDER_CONTRACTS:
                missed.add(service)
        await js.add_consumer(stream, _consumer_config(name, contract))
    removed = await _remove_strangers(js)
    retold = tuple(sorted(service for service in missed if MessagesRetold in heard_by(service)))
    for service in retold:
        await _ask_for_retelling(js, service)
    return Applied(tuple(made), tuple(removed), retold)


_ORDER_CONTRACTS = {order.contract for order in ORDERS}
assert all(fact.contract.channel.split(".")[0] in _BY_TOKEN for fact in FACTS)


async def _refuse_to_go_back(js: JetStreamContext) -> None:
    for stream in STREAMS:
        try:
            info = await js.stream_info(stream.name)
        except nats.js.errors.NotFoundError:
            continue
        there = int((info.config.metadata or {}).get(_VERSION_KEY, "0"))
        if there > VERSION:
            raise OlderThanServers(
                f"the bus is of topology {there}, this release is of topology {VERSION}"
            )


async def _stream(js: JetStreamContext, stream: Stream) -> bool:
    """Whether the stream had to be made; otherwise it was updated."""
    try:
        await js.stream_info(stream.name)
    except nats.js.errors.NotFoundError:
        await js.add_stream(stream.config())
        return True
    await js.update_stream(stream.config())
    return False


async def _consumer_exists(js: JetStreamContext, stream: str, name: str) -> bool:
    try:
        await js.consumer_info(stream, name)
    except nats.js.errors.NotFoundError:
        return False
    return True


async def _remove_strangers(js: JetStreamContext) -> list[str]:
    """Consumers of an earlier release hold an interest stream for ever: they go."""
    ours = consumers()
    removed: list[str] = []
    for stream in STREAMS:
        offset = 0
        while infos := await js.consumers_info(stream.name, offset=offset):
            offset += len(infos)
            for info in infos:
                tagged = _VERSION_KEY in (info.config.metadata or {})
                if tagged and info.name not in ours:
                    await js.delete_consumer(stream.name, info.name)
                    removed.append(info.name)
    return removed


async def _ask_for_retelling(js: JetStreamContext, service: str) -> None:
    command = RetellAccount(tenant_id=UUID(int=0), listener=service, generation=uuid7())
    await js.publish(
        command.nats_subject(),
        encode(command),
        headers={Header.MSG_ID.value: str(command.event_id)},
    )
    log.info("listener will be told everything again", listener=service)

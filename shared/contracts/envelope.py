"""What every fact, command, query and hint has in common, and how it is written as bytes."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Self, TypeVar
from uuid import UUID

import msgspec
import zstandard
from msgspec import Struct
from uuid_utils.compat import uuid7

from shared.contracts.zstd import Zstd


class OpenEnum(StrEnum):
    """Words that may grow: one this version does not know yet is read as `other`."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return cls.__members__.get("OTHER")


class Lane(StrEnum):
    """How a fact travels: at once, or behind everything that is live."""

    LIVE = "mail"
    FILL = "fill"


class Told(Struct, frozen=True, kw_only=True):
    """Anything kept in a stream: it has an id of its own, by which a second copy is known."""

    channel: ClassVar[str]

    event_id: UUID = msgspec.field(default_factory=uuid7)
    tenant_id: UUID
    occurred_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))

    def nats_subject(self) -> str:
        """The NATS subject of this one, where the channel leaves a token open."""
        return self.channel


class Event(Told, frozen=True, kw_only=True):
    """A fact. One service tells it; whoever hears it must be able to hear it again."""


class Command(Told, frozen=True, kw_only=True):
    """A request that exactly one service obeys, once or more often with the same result."""


class Caller(Struct, frozen=True, kw_only=True):
    """On whose behalf a question is asked: a tenant, and the accounts the asker may see."""

    tenant_id: UUID
    account_ids: tuple[UUID, ...]
    request_id: str | None = None
    person_id: UUID | None = None
    token_id: UUID | None = None  # the API token that speaks for them


class Query(Struct, frozen=True, kw_only=True):
    """A question that is answered at once or not at all."""

    channel: ClassVar[str]
    deadline_seconds: ClassVar[float] = 2.0

    caller: Caller


class Problem(Struct, frozen=True, kw_only=True):
    """Why a question has no answer, for the asker to pass on."""

    code: str  # stable, e.g. "not_found", "query_invalid"
    detail: str = ""
    position: int | None = None  # in the text asked about, characters from 0
    pointer: str | None = None  # into what was asked as JSON (RFC 6901)


class Hint(Struct, frozen=True, kw_only=True):
    """A nudge that may be lost: a slow poll stands behind it."""

    channel: ClassVar[str]


_encoder = msgspec.json.Encoder()
#: Smaller ones gain nothing. A page of messages is a fifth of itself.
_PACKED_FROM_BYTES = 8 * 1024
_ZSTD = b"\x28\xb5\x2f\xfd"  # how such a frame begins (RFC 8878 §3.1.1), and JSON never
MAX_BYTES = 64 * 1024 * 1024  # of one fact, unpacked

_zstd = Zstd(level=1)


def encode(value: Struct | object) -> bytes:
    """A contract as JSON (RFC 8259)."""
    return _encoder.encode(value)


def pack(body: bytes) -> bytes:
    """JSON of a fact or command as it travels in a stream: zstd of it, where it is long."""
    return body if len(body) < _PACKED_FROM_BYTES else _zstd.compressor.compress(body)


def unpack(data: bytes) -> bytes:
    """The JSON of what travels; raises msgspec.DecodeError."""
    if not data.startswith(_ZSTD):
        return data
    try:
        if not 0 <= zstandard.frame_content_size(data) <= MAX_BYTES:
            raise msgspec.DecodeError("packed without its size, or larger than a fact may be")
        return _zstd.decompressor.decompress(data)
    except zstandard.ZstdError as error:
        raise msgspec.DecodeError(f"cannot be unpacked: {error}") from error


T = TypeVar("T")


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode(data: bytes, kind: type[T]) -> T:
    """Read a contract, packed or not; raises msgspec.ValidationError or msgspec.DecodeError."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    return decoder.decode(unpack(data))

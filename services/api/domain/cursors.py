"""Cursors: where a reader stopped, in a form that only we read.

A cursor of a list names the last row shown, so that rows that come or go meanwhile neither
repeat nor hide others. A cursor of the log names the last number seen and the epoch, which a
restore raises.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import msgspec

from services.api.domain.refusals import CursorInvalid

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class After:
    """The last row shown of a list that is ordered by a moment and an id, newest first."""

    at: datetime
    id: UUID

    def shown(self) -> str:
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        return _written((microseconds, self.id))

    @classmethod
    def read(cls, text: str) -> "After":
        microseconds, row_id = _read(text, tuple[int, UUID])
        try:
            return cls(_EPOCH + timedelta(microseconds=microseconds), row_id)
        except OverflowError:
            raise CursorInvalid from None


@dataclass(frozen=True, slots=True)
class AfterRanked:
    """The last row shown of a list by relevance, taken from what stood before `at` and `id`."""

    at: datetime
    id: UUID
    rank: float
    last_id: UUID

    def shown(self) -> str:
        microseconds = (self.at - _EPOCH) // timedelta(microseconds=1)
        return _written((microseconds, self.id, self.rank, self.last_id))

    @classmethod
    def read(cls, text: str) -> "AfterRanked":
        microseconds, anchor_id, rank, last_id = _read(text, tuple[int, UUID, float, UUID])
        try:
            return cls(_EPOCH + timedelta(microseconds=microseconds), anchor_id, rank, last_id)
        except OverflowError:
            raise CursorInvalid from None


@dataclass(frozen=True, slots=True)
class LogCursor:
    """The last event of the log that a reader has had."""

    epoch: int
    seq: int

    def shown(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @classmethod
    def read(cls, text: str) -> "LogCursor":
        epoch, dash, seq = text.partition("-")
        if not (dash and _is_number(epoch) and _is_number(seq)):
            raise CursorInvalid
        return cls(int(epoch), int(seq))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _written(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).decode().rstrip("=")


def _read(text: str, kind: type[T]) -> T:
    if len(text) > _LONGEST:
        raise CursorInvalid
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise CursorInvalid from None

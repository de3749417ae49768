"""Values: small things that the replicas of a service agree on, by compare-and-set.

A JetStream KV bucket: a stream in which each key has a subject that keeps its last value, and a
value is written only in place of the one that was read. Read directly, without a consumer.
"""

import asyncio

import nats.errors
import nats.js.errors
from msgspec import Struct
from nats.js.api import Header

from shared.bus.connection import Bus

STREAM = "KV_LIMITS"
FIRST_TOKEN = "$KV.LIMITS"  # noqa: S105 - of a subject

_PATIENCE_SECONDS = 1.0
_WRONG_LAST_SEQUENCE = 10071


class ValuesAway(Exception):
    """The bucket cannot be read or written now."""


class Changed(Exception):
    """Somebody wrote another value since this one was read."""


class Value(Struct, frozen=True):
    """What is kept under a key, and when it was written, by the bucket's count."""

    data: bytes
    revision: int


class Values:
    """The bucket. Every call may raise ValuesAway."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def get(self, key: str) -> Value | None:
        """What is kept under this key."""
        self._refuse_when_away()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                found = await self._bus.js.get_msg(STREAM, subject=_subject(key), direct=True)
        except nats.js.errors.NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError) as error:
            raise ValuesAway from error
        return Value(found.data or b"", found.seq or 0)

    async def put(self, key: str, data: bytes, *, instead_of: int) -> int:
        """Write in place of that revision (0: of nothing); raises Changed. The new revision."""
        self._refuse_when_away()
        headers = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(instead_of)}
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                kept = await self._bus.js.publish(_subject(key), data, headers=headers)
        except nats.js.errors.APIError as error:
            if error.err_code == _WRONG_LAST_SEQUENCE:
                raise Changed from None
            raise ValuesAway from error
        except (nats.errors.Error, TimeoutError) as error:
            raise ValuesAway from error
        return kept.seq

    def _refuse_when_away(self) -> None:
        # What is published while reconnecting waits in a buffer; nobody should wait for that.
        if not self._bus.is_connected:
            raise ValuesAway


def _subject(key: str) -> str:
    return f"{FIRST_TOKEN}.{key}"

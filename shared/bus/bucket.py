"""The bucket: what was fetched from mail servers for those who open it, in pieces, for a day.

A stream of limits, the oldest going first, in which each piece has a subject of its own and is read
directly, without a consumer (nats-py's object store leaves one behind for each read). A cache:
whatever is not there is fetched again.

    attachment.<account>.<message>.<part>.<piece>      256 KiB each, the last one less
    attachment.<account>.<message>.<part>.whole        how many there are; told before the last one
"""

from uuid import UUID

import msgspec
import nats.errors
import nats.js.errors
from msgspec import Struct

from shared.bus.connection import Bus

STREAM = "ATTACHMENTS"
FIRST_TOKEN = "attachment"  # noqa: S105 - of a subject
PIECE_BYTES = 256 * 1024

_WHOLE = "whole"


class BucketAway(Exception):
    """The bucket cannot be read or written now."""


class Key(Struct, frozen=True):
    """One part of one message."""

    account_id: UUID
    message_id: UUID
    part: int

    def subject(self, last: str | int) -> str:
        return f"{FIRST_TOKEN}.{self.account_id}.{self.message_id}.{self.part}.{last}"


class Whole(Struct, frozen=True, kw_only=True):
    """A part that is in the bucket to its end."""

    size_bytes: int
    pieces: int
    piece_bytes: int = PIECE_BYTES


class Bucket:
    """Pieces of what was fetched. Every call may raise BucketAway."""

    def __init__(self, bus: Bus) -> None:
        self._js = bus.js

    async def put_piece(self, key: Key, number: int, data: bytes) -> None:
        """Keep a piece, which is never empty."""
        await self._put(key.subject(number), data)

    async def put_whole(self, key: Key, whole: Whole) -> None:
        """Say how large the part is, once its last piece is at hand."""
        await self._put(key.subject(_WHOLE), msgspec.json.encode(whole))

    async def piece(self, key: Key, number: int) -> bytes | None:
        """This piece, if it is here."""
        return await self._get(key.subject(number))

    async def whole(self, key: Key) -> Whole | None:
        """How large the part is, if it was here to its end; pieces of it may have gone since."""
        found = await self._get(key.subject(_WHOLE))
        return None if found is None else msgspec.json.decode(found, type=Whole)

    async def forget(self, account_id: UUID) -> None:
        """Keep nothing of this account."""
        try:
            await self._js.purge_stream(STREAM, subject=f"{FIRST_TOKEN}.{account_id}.>")
        except (nats.errors.Error, TimeoutError) as error:
            raise BucketAway from error

    async def _put(self, subject: str, data: bytes) -> None:
        try:
            await self._js.publish(subject, data)
        except (nats.errors.Error, TimeoutError) as error:
            raise BucketAway from error

    async def _get(self, subject: str) -> bytes | None:
        try:
            return (await self._js.get_msg(STREAM, subject=subject, direct=True)).data
        except nats.js.errors.NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError) as error:
            raise BucketAway from error

"""Bring an attachment, or a message as it came, from its mail server into the bucket.

A slice at a time comes from the server, is decoded and goes on in pieces: of a large one never more
than some slices are held. A small message is fetched whole, and its attachment found in it just as
it was listed.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

from services.sync.domain.decoding import MAX_HELD_BYTES, TooMuchToHold, decoder_of
from services.sync.domain.parse import attachment_part
from services.sync.domain.skeleton import WHOLE_BYTES, attached_part, headers_of
from services.sync.imap.session import Session
from services.sync.store.whereabouts import Whereabouts
from shared.bus.bucket import PIECE_BYTES, Bucket, Key, Whole
from shared.contracts.attachment import WHOLE_MESSAGE


class NotToBeHad(Exception):
    """The part cannot be had, and asking again soon would not change that."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code  # message_gone, part_missing, part_unreadable; message_moving: ask again


async def fetch_part(
    session: Session,
    where: Whereabouts,
    key: Key,
    bucket: Bucket,
    came: Callable[[int], None],
) -> Whole:
    """Put the part into the bucket, saying after each piece how many are there.

    Raises NotToBeHad, ImapError, BucketAway.
    """
    if where.raw_name is None or where.uid is None:
        raise NotToBeHad("message_moving")
    # Each time, so that what came since is there.
    selected = await session.select(where.raw_name, readonly=True)
    if selected.uidvalidity != where.uidvalidity:
        raise NotToBeHad("message_moving")
    pieces = _Pieces(key, bucket, came)
    async with aclosing(_content(session, where.uid, where.size_bytes, key.part)) as content:
        async for data in content:
            await pieces.take(data)
    return await pieces.end()


async def _content(session: Session, uid: int, size: int, part: int) -> AsyncGenerator[bytes]:
    """The part's octets, decoded."""
    if part == WHOLE_MESSAGE:
        async for data in _there(session.slices(uid, "")):
            yield data
        return
    if size > WHOLE_BYTES:
        structure = (await session.structure([uid])).get(uid)
        node = structure and attached_part(
            structure, await session.sections(uid, headers_of(structure)), part
        )
        if node is not None:
            decoder = decoder_of(node.encoding or "")
            try:
                async for data in _there(session.slices(uid, node.section or "1")):
                    yield decoder.feed(data)
                yield decoder.end()
            except TooMuchToHold:
                raise NotToBeHad("part_unreadable") from None
            return
    yield await _found_in(session, uid, part)


async def _found_in(session: Session, uid: int, part: int) -> bytes:
    """The attachment of a message that can be held, as reading it finds it."""
    raw = bytearray()
    async for data in _there(session.slices(uid, "")):
        raw += data
        if len(raw) > MAX_HELD_BYTES:
            raise NotToBeHad("part_unreadable")
    content = await asyncio.to_thread(_decoded, bytes(raw), part)
    if content is None:
        raise NotToBeHad("part_missing")
    return content


def _decoded(raw: bytes, part: int) -> bytes | None:
    found = attachment_part(raw, part)
    return None if found is None else found.content


async def _there(slices: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """The same slices; NotToBeHad when the server has nothing of it."""
    nothing = True
    async with aclosing(slices):
        async for data in slices:
            nothing = False
            yield data
    if nothing:
        raise NotToBeHad("message_gone")


class _Pieces:
    """Cuts what comes into pieces, and puts them away."""

    def __init__(self, key: Key, bucket: Bucket, came: Callable[[int], None]) -> None:
        self._key = key
        self._bucket = bucket
        self._came = came
        self._held = bytearray()
        self._count = 0
        self._size = 0

    async def take(self, data: bytes) -> None:
        self._held += data
        while len(self._held) > PIECE_BYTES:  # the last piece is kept back until the end
            await self._put(bytes(self._held[:PIECE_BYTES]))
            del self._held[:PIECE_BYTES]

    async def end(self) -> Whole:
        last = bytes(self._held)
        whole = Whole(size_bytes=self._size + len(last), pieces=self._count + (1 if last else 0))
        # Before the last piece: who finds a part of one piece knows its size at once.
        await self._bucket.put_whole(self._key, whole)
        if last:
            await self._put(last)
        return whole

    async def _put(self, piece: bytes) -> None:
        await self._bucket.put_piece(self._key, self._count, piece)
        self._count += 1
        self._size += len(piece)
        self._came(self._count)

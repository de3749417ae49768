"""Read an attachment, or a message as it came, piece by piece, as it comes from its server.

What is in the bucket is read from there. What is not, sync is asked for: it fetches the part and
fills the bucket, and we follow behind, at the pace of whoever reads. A piece that the bucket has
let go meanwhile is simply asked for again.
"""

from collections.abc import AsyncGenerator

from services.api.domain.ranges import Span
from services.api.domain.refusals import (
    AttachmentUnavailable,
    AttachmentUnreadable,
    MessageGone,
    NotFound,
    Refused,
)
from shared.bus import Bucket, BucketAway, Bus, NoAnswer
from shared.bus.bucket import Key, Whole
from shared.contracts.attachment import FetchPart, PartAnswer
from shared.contracts.envelope import Caller

_TRIES = 3
_SOON_SECONDS = 5
_WHY = {
    "account_paused": "The account is paused, so its mail server is left alone.",
    "account_busy": "The account has as many connections to its server as it may have.",
    "message_moving": "The message is being moved to another mailbox.",
}


async def size_of_part(
    bus: Bus, bucket: Bucket, caller: Caller, key: Key, *, wait: bool
) -> Whole | None:
    """How large the part is, once it has come or if we `wait`; else None, and it has begun to come.

    Raises a refusal when it cannot be had.
    """
    try:
        whole = await bucket.whole(key)
        if whole is None:
            await _ask(bus, caller, key, None if wait else 0)
            whole = await bucket.whole(key)
    except BucketAway as error:
        raise AttachmentUnavailable(retry_after_seconds=_SOON_SECONDS) from error
    if whole is None and wait:
        raise AttachmentUnavailable(retry_after_seconds=_SOON_SECONDS)
    return whole


async def size_here(bucket: Bucket, key: Key) -> Whole | None:
    """How large the part is, if it is here already; nobody is asked for it."""
    try:
        return await bucket.whole(key)
    except BucketAway as error:
        raise AttachmentUnavailable(retry_after_seconds=_SOON_SECONDS) from error


async def read_part(
    bus: Bus, bucket: Bucket, caller: Caller, key: Key, whole: Whole | None, span: Span | None
) -> AsyncGenerator[bytes]:
    """The part's bytes, or those of a span, which needs the whole to be known."""
    number, skip, left = 0, 0, None
    if span is not None:
        assert whole is not None
        number, skip = divmod(span.first, whole.piece_bytes)
        left = span.size
    while left is None or left > 0:
        data = await _piece(bus, bucket, caller, key, number)
        if data is None:
            return
        data = data[skip:] if left is None else data[skip : skip + left]
        left = None if left is None else left - len(data)
        number, skip = number + 1, 0
        yield data


async def _piece(bus: Bus, bucket: Bucket, caller: Caller, key: Key, number: int) -> bytes | None:
    """The piece, which may have to be fetched first; None behind the last one."""
    try:
        for _ in range(_TRIES):
            found = await bucket.piece(key, number)
            if found is not None:
                return found
            whole = await bucket.whole(key)
            if whole is not None and number >= whole.pieces:
                return None
            await _ask(bus, caller, key, number)
    except BucketAway as error:
        raise AttachmentUnavailable(retry_after_seconds=_SOON_SECONDS) from error
    raise AttachmentUnavailable(retry_after_seconds=_SOON_SECONDS)


async def _ask(bus: Bus, caller: Caller, key: Key, piece: int | None) -> None:
    """Have it fetched, and wait until the piece, None: all of it, is in the bucket."""
    query = FetchPart(caller=caller, message_id=key.message_id, part=key.part, piece=piece)
    while True:
        try:
            answer = await bus.ask(query, PartAnswer)
        except NoAnswer as error:
            raise AttachmentUnavailable(retry_after_seconds=_SOON_SECONDS) from error
        if answer.problem is not None:
            raise _refusal(answer)
        if answer.ready:
            return


def _refusal(answer: PartAnswer) -> Refused:
    assert answer.problem is not None
    match answer.problem.code:
        case "not_found" | "part_missing":
            return NotFound()
        case "message_gone":
            return MessageGone()
        case "part_unreadable":
            return AttachmentUnreadable()
        case code:
            return AttachmentUnavailable(
                _WHY.get(code), retry_after_seconds=answer.retry_after_seconds or _SOON_SECONDS
            )

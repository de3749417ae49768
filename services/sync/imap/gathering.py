"""Asking for many messages at once, several commands on their way (UID FETCH, RFC 9051 §6.4.5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TypeVar

import structlog

from services.sync.imap.arguments import uid_set
from services.sync.imap.errors import Refused
from services.sync.imap.parser import Status, Untagged, Value, as_number, items_of
from services.sync.imap.wire import Wire

log = structlog.get_logger()

#: One command names so many UIDs at most: some servers refuse lines over 8,000 bytes.
UIDS_PER_COMMAND = 500
#: So many commands are on their way where nothing else is said.
IN_FLIGHT = 4

#: So much is held of messages that were told only in part.
MAX_HALVES_BYTES = 128 * 1024 * 1024

Told = dict[str, Value]  # data items by name, in upper case
T = TypeVar("T")


async def gather(
    wire: Wire,
    uids: Sequence[int],
    items: bytes,
    read: Callable[[int, Told], T | None],
    *,
    batch: int = UIDS_PER_COMMAND,
    in_flight: int = IN_FLIGHT,
    cut_at: int | None = None,
) -> AsyncGenerator[T]:
    """What `read` makes of each message, in the server's order; None when not all was told yet.

    What is not there does not come. An answer that cannot be read is passed over like one that did
    not come: its neighbours are not to blame, and the caller asks again for what is missing.
    """
    wanted = set(uids)
    halves: dict[int, Told] = {}  # a server may tell of one message in several answers
    halves_bytes = 0
    to_ask = [uids[start : start + batch] for start in range(0, len(uids), batch)]
    to_ask.reverse()
    refusal: Refused | None = None
    async with wire.exchange(cut_at=cut_at) as exchange:
        while True:
            while to_ask and refusal is None and len(exchange.owed) < in_flight:
                await exchange.send("UID FETCH", uid_set(to_ask.pop()), items)
            if not exchange.owed:
                break
            match answer := await exchange.next():
                case Untagged(kind="FETCH"):
                    told = items_of(answer)
                    uid = as_number(told.get("UID")) if told is not None else None
                    if told is None:
                        log.warning("imap_fetch_garbled")
                    elif uid not in wanted:
                        exchange.overhear(answer)
                    else:
                        if half := halves.get(uid):
                            told = half | told
                        if (whole := read(uid, told)) is None:
                            halves[uid] = told
                            halves_bytes += sum(map(len, answer.frame))
                            if halves_bytes > MAX_HALVES_BYTES:
                                halves.clear()
                                halves_bytes = 0
                            continue
                        wanted.discard(uid)
                        halves.pop(uid, None)
                        yield whole
                case Status(tag=str(), status="NO" | "BAD"):
                    # RFC 9051 §7.1: some of the messages were expunged meanwhile; the others came.
                    if answer.code != "EXPUNGEISSUED":
                        refusal = refusal or exchange.refusal(answer)
                case _:
                    exchange.overhear(answer)
    if refusal is not None:
        raise refusal

"""Reading messages and how they are marked (UID FETCH, RFC 9051 §6.4.5, §7.5.2)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import structlog

from services.sync.domain.covered import Span
from services.sync.imap.arguments import span_set, uid_set
from services.sync.imap.errors import Garbled, Refused
from services.sync.imap.parser import (
    Status,
    Untagged,
    Value,
    as_date_time,
    as_number,
    as_string,
    as_words,
    items_of,
)
from services.sync.imap.wire import Wire

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A whole message as the server keeps it."""

    uid: int
    flags: frozenset[str]
    internal_date: datetime | None  # UTC; None when the server does not say anything sensible
    size: int  # as the server counts (RFC822.SIZE), which is not always the length of `raw`
    modseq: int | None
    raw: bytes = field(repr=False)


class FlagsOf(NamedTuple):
    """How a message is marked."""

    uid: int
    flags: frozenset[str]
    modseq: int | None


#: One command names so many UIDs at most: some servers refuse lines over 8,000 bytes.
_UIDS_PER_COMMAND = 500
_PLAIN_FLAGS = re.compile(
    rb"\* \d+ FETCH \(UID (\d{1,10}) FLAGS \(([^()\"{]*)\)(?: MODSEQ \((\d{1,19})\))?\)"
)


async def fetch(
    wire: Wire, uids: Sequence[int], *, batch: int, in_flight: int
) -> AsyncGenerator[Fetched, None]:
    """Whole messages as they come, several commands on their way at once.

    What is not there does not come. An answer that cannot be read is passed over like one that did
    not come: its neighbours are not to blame, and the caller asks again for what is missing.
    """
    items = b"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"
    wanted = set(uids)
    halves: dict[int, dict[str, Value]] = {}  # a server may tell of one message in several answers
    to_ask = [uids[start : start + batch] for start in range(0, len(uids), batch)]
    to_ask.reverse()
    refusal: Refused | None = None
    async with wire.exchange() as exchange:
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
                        halves.setdefault(uid, {}).update(told)
                        if (fetched := _fetched(uid, halves[uid])) is not None:
                            wanted.discard(uid)
                            del halves[uid]
                            yield fetched
                case Status(tag=str(), status="NO" | "BAD"):
                    # RFC 9051 §7.1: some of the messages were expunged meanwhile; the others came.
                    if answer.code != "EXPUNGEISSUED":
                        refusal = refusal or exchange.refusal(answer)
                case _:
                    exchange.overhear(answer)
    if refusal is not None:
        raise refusal


async def flags(wire: Wire, span: Span, *, modseq: bool) -> list[FlagsOf]:
    """How each message in the span is marked, in order of UID. Complete, or an error."""
    found: dict[int, FlagsOf] = {}
    alike: dict[bytes, frozenset[str]] = {}  # a mailbox knows few combinations of flags
    async with wire.exchange() as exchange:
        items = b"(UID FLAGS MODSEQ)" if modseq else b"(UID FLAGS)"
        await exchange.send("UID FETCH", span_set([span]), items)
        async for answer in exchange.answers():
            if not isinstance(answer, Untagged) or answer.kind != "FETCH":
                exchange.overhear(answer)
                continue
            if plain := _PLAIN_FLAGS.fullmatch(answer.frame[0]):  # nearly every line of many
                marks = plain[2]
                if (known := alike.get(marks)) is None:
                    known = alike[marks] = frozenset(marks.decode("utf-8", "replace").split())
                told = FlagsOf(int(plain[1]), known, int(plain[3]) if plain[3] else None)
            else:
                told = _flags(answer)
            if told is None or told.uid not in span:
                exchange.overhear(answer)
            else:
                found[told.uid] = told
    return [found[uid] for uid in sorted(found)]


async def sizes(wire: Wire, uids: Iterable[int]) -> dict[int, int]:
    """How large each of these messages is, by the server's count; who is not there is left out."""
    listed = sorted(set(uids))
    found: dict[int, int] = {}
    for start in range(0, len(listed), _UIDS_PER_COMMAND):
        asked = listed[start : start + _UIDS_PER_COMMAND]
        async with wire.exchange() as exchange:
            await exchange.send("UID FETCH", uid_set(asked), b"(UID RFC822.SIZE)")
            async for answer in exchange.answers():
                told = items_of(answer) if isinstance(answer, Untagged) else None
                uid = as_number(told.get("UID")) if told else None
                size = as_number(told.get("RFC822.SIZE")) if told else None
                if uid is None or size is None:
                    exchange.overhear(answer)
                else:
                    found[uid] = size
    return {uid: found[uid] for uid in listed if uid in found}


def _fetched(uid: int, told: dict[str, Value]) -> Fetched | None:
    raw = as_string(told.get("BODY[]", told.get("RFC822")))
    if raw is None or "FLAGS" not in told:
        return None  # not all told yet, or the server cannot read it (NIL)
    size = as_number(told.get("RFC822.SIZE"))
    return Fetched(
        uid=uid,
        flags=frozenset(as_words(told["FLAGS"])),
        internal_date=as_date_time(told.get("INTERNALDATE")),
        size=len(raw) if size is None else size,
        modseq=_modseq(told.get("MODSEQ")),
        raw=raw,
    )


def _flags(answer: Untagged) -> FlagsOf | None:
    told = items_of(answer)
    if told is None:
        raise Garbled("marks of a message that cannot be read")
    uid = as_number(told.get("UID"))
    if uid is None or "FLAGS" not in told:
        return None
    return FlagsOf(uid, frozenset(as_words(told["FLAGS"])), _modseq(told.get("MODSEQ")))


def _modseq(value: Value) -> int | None:
    return as_number(value[0]) if isinstance(value, list) and value else None

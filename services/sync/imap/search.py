"""Which messages there are (UID SEARCH, RFC 9051 §6.4.4; ESEARCH, RFC 4731)."""

from __future__ import annotations

from itertools import pairwise

from services.sync.domain.covered import Span
from services.sync.imap.arguments import Part, span_set, string, uid_set
from services.sync.imap.errors import Garbled
from services.sync.imap.parser import (
    Untagged,
    Value,
    as_number,
    as_spans,
    as_string,
    as_text,
    items_of,
)
from services.sync.imap.wire import Wire

#: More than any mailbox holds: a server that claims more is not believed, and not allocated for.
MAX_LISTED = 20_000_000
#: Of more messages alike we look at so many.
MAX_ALIKE = 200


async def uids(wire: Wire, span: Span) -> list[int]:
    """Which UIDs in the span exist now, in order. Complete, or an error."""
    found = await _search(wire, b"UID", span_set([span]))
    if found is None:  # some servers say nothing where there is nothing; that is no proof
        found = await _fetched_uids(wire, span)
    # `n:*` also names the last message when it is below n (RFC 9051 §9, seq-range).
    return sorted({uid for uid in found if uid in span})


async def search_message_id(wire: Wire, message_id: str) -> list[int]:
    """UIDs in the selected mailbox whose Message-ID is this one, with or without brackets.

    A server looks for a part of the field (RFC 9051 §6.4.4, HEADER), so what it finds is compared.
    """
    wanted = _bare(message_id)
    found = await _search(wire, b"HEADER", b"Message-ID", string(wanted)) if wanted else None
    if not found:
        return []
    alike: list[int] = []
    async with wire.exchange() as exchange:
        items = b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        await exchange.send("UID FETCH", uid_set(found[:MAX_ALIKE]), items)
        async for answer in exchange.answers():
            told = (items_of(answer) if isinstance(answer, Untagged) else None) or {}
            uid = as_number(told.get("UID"))
            field = next((as_string(told[name]) for name in told if "HEADER" in name), None)
            if uid is None or field is None:
                exchange.overhear(answer)
            elif _bare(as_text(field).partition(":")[2]) == wanted:
                alike.append(uid)
    return sorted(set(alike))


def _bare(message_id: str) -> str:
    return message_id.strip().removeprefix("<").removesuffix(">")


async def _search(wire: Wire, *criteria: Part) -> list[int] | None:
    """What was found; None when the server claimed success without a result."""
    found: list[int] | None = None
    returning = [b"RETURN (ALL)"] if "ESEARCH" in wire.offers or "IMAP4REV2" in wire.offers else []
    async with wire.exchange() as exchange:
        await exchange.send("UID SEARCH", *returning, *criteria)
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="SEARCH"):
                    found = (found or []) + _numbers(answer)
                case Untagged(kind="ESEARCH"):
                    found = (found or []) + _all(answer.values())
                case _:
                    exchange.overhear(answer)
    return found


def _numbers(answer: Untagged) -> list[int]:
    words = answer.frame[0][answer.offset :].split(b"(", 1)[0].split()  # `(MODSEQ 7)` may follow
    if len(answer.frame) > 1 or not all(word.isdigit() and len(word) < 11 for word in words):
        raise Garbled("a search result that is not made of numbers")
    return [int(word) for word in words]


def _all(values: list[Value]) -> list[int]:
    for name, value in pairwise(values):
        if isinstance(name, str) and name.upper() == "ALL":
            spans = as_spans(value)
            if len(spans) > MAX_LISTED:
                raise Garbled("more messages than there can be")
            return [uid for span in spans for uid in range(span.first, span.last + 1)]
    return []  # nothing found (RFC 4731 §3.1)


async def _fetched_uids(wire: Wire, span: Span) -> list[int]:
    found: list[int] = []
    async with wire.exchange() as exchange:
        await exchange.send("UID FETCH", span_set([span]), b"(UID)")
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="FETCH"):
                    match answer.values():
                        case [["UID", uid]] if (number := as_number(uid)) is not None:
                            found.append(number)
                        case _:
                            exchange.overhear(answer)
                case _:
                    exchange.overhear(answer)
    return found

"""Which messages there are (UID SEARCH, RFC 9051 §6.4.4; ESEARCH, RFC 4731)."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from services.sync.domain.covered import EVERY_UID, Span
from services.sync.imap.arguments import Part, span_set, string, uid_set
from services.sync.imap.numbers import Uids
from services.sync.imap.parser import Untagged, as_number, as_string, as_text, items_of
from services.sync.imap.wire import Wire

#: Of more messages alike we look at so many.
MAX_ALIKE = 200


async def uids(wire: Wire, span: Span) -> array[int]:
    """Which UIDs in the span exist now, in order. Complete, or an error."""
    found = await _search(wire, b"UID", span_set([span]))
    if found is None:  # some servers say nothing where there is nothing; that is no proof
        found = await _fetched_uids(wire, span)
    # `n:*` also names the last message when it is below n (RFC 9051 §9, seq-range).
    return found.within(span)


async def larger(wire: Wire, uids: Sequence[int], octets: int) -> set[int] | None:
    """Which of these messages are larger, by the server's count; None when it does not say."""
    found = await _search(wire, b"UID", uid_set(uids), b"LARGER", b"%d" % octets)
    return None if found is None else set(uids).intersection(found.within(EVERY_UID))


async def search_message_id(wire: Wire, message_id: str) -> list[int]:
    """UIDs in the selected mailbox whose Message-ID is this one, with or without brackets.

    A server looks for a part of the field (RFC 9051 §6.4.4, HEADER), so what it finds is compared.
    """
    wanted = _bare(message_id)
    found = await _search(wire, b"HEADER", b"Message-ID", string(wanted)) if wanted else None
    if found is None or not (there := found.within(EVERY_UID)):
        return []
    alike: list[int] = []
    async with wire.exchange() as exchange:
        items = b"(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        await exchange.send("UID FETCH", uid_set(there[:MAX_ALIKE]), items)
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


async def _search(wire: Wire, *criteria: Part) -> Uids | None:
    """What was found; None when the server claimed success without a result."""
    found: Uids | None = None
    returning = [b"RETURN (ALL)"] if wire.offers & {"ESEARCH", "IMAP4REV2"} else []
    async with wire.exchange() as exchange:
        await exchange.send("UID SEARCH", *returning, *criteria)
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="SEARCH" | "ESEARCH"):
                    found = found or Uids()
                    found.hear(answer)
                case _:
                    exchange.overhear(answer)
    return found


async def _fetched_uids(wire: Wire, span: Span) -> Uids:
    found = Uids()
    async with wire.exchange() as exchange:
        await exchange.send("UID FETCH", span_set([span]), b"(UID)")
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="FETCH"):
                    match answer.values():
                        case [["UID", uid]] if (number := as_number(uid)) is not None:
                            found.add(range(number, number + 1))
                        case _:
                            exchange.overhear(answer)
                case _:
                    exchange.overhear(answer)
    return found

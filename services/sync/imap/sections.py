"""Reading parts of a message without the rest (BODY.PEEK[...], RFC 9051 §6.4.5)."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence

from services.sync.imap.errors import Refused
from services.sync.imap.framing import Cut
from services.sync.imap.gathering import IN_FLIGHT, Told, gather
from services.sync.imap.parser import Status, Untagged, as_number, as_string, items_of
from services.sync.imap.wire import Wire

_SECTION = re.compile(r"(?:[1-9]\d*\.)*(?:[1-9]\d*|HEADER|TEXT|[1-9]\d*\.MIME)")

#: So much of a part is asked for at a time where it is read to its end.
SLICE_OCTETS = 1024 * 1024
#: Of a part that is asked for as a whole.
LONGEST_OCTETS = 8 * 1024 * 1024


async def sections(wire: Wire, uid: int, names: Sequence[str]) -> dict[str, bytes]:
    """These parts, as encoded; what the server does not have, or says NIL to, is left out."""
    match [told async for told in sections_of_each(wire, {uid: names})]:
        case [(_, Refused() as refused)]:
            raise refused
        case [(_, dict() as found)]:
            return found
        case _:
            return {}


async def sections_of_each(
    wire: Wire, names: Mapping[int, Sequence[str]], *, in_flight: int = IN_FLIGHT
) -> AsyncGenerator[tuple[int, dict[str, bytes] | Refused]]:
    """The parts of several messages, each message's as soon as they are there, or the refusal.

    A part longer than LONGEST_OCTETS, whatever the structure said of it, is left out.
    """
    to_ask = [(uid, _wanted(each)) for uid, each in names.items() if each]
    to_ask.reverse()
    asked: dict[str, int] = {}  # UIDs by tag
    wanted: dict[int, dict[str, str]] = {}
    found: dict[int, dict[str, bytes]] = {}
    async with wire.exchange(cut_at=LONGEST_OCTETS) as exchange:
        while to_ask or exchange.owed:
            while to_ask and len(exchange.owed) < in_flight:
                uid, wanted_of_it = to_ask.pop()
                wanted[uid], found[uid] = wanted_of_it, {}
                items = " ".join(f"BODY.PEEK[{name}]" for name in wanted_of_it)
                tag = await exchange.send("UID FETCH", b"%d" % uid, f"(UID {items})".encode())
                asked[tag] = uid
            match answer := await exchange.next():
                case Untagged(kind="FETCH"):
                    told = items_of(answer) or {}
                    uid = as_number(told.get("UID"))
                    if uid is None or uid not in found:
                        exchange.overhear(answer)
                        continue
                    for name, value in told.items():
                        section = name.removeprefix("BODY[").removesuffix("]")
                        raw = as_string(value)
                        if raw is None or isinstance(raw, Cut):
                            continue
                        if section != name and section in wanted[uid]:
                            # Each may come in an answer of its own; said twice, the first holds.
                            found[uid].setdefault(wanted[uid][section], raw)
                case Status(tag=str()) if answer.tag in asked:
                    uid = asked.pop(answer.tag)
                    sections_of_it = found.pop(uid)
                    failed = answer.status != "OK" and answer.code != "EXPUNGEISSUED"
                    yield uid, exchange.refusal(answer) if failed else sections_of_it
                case _:
                    exchange.overhear(answer)


def _wanted(names: Sequence[str]) -> dict[str, str]:
    """As a server spells them, and as they are asked for here."""
    wanted = {name.upper(): name for name in names}
    for name in wanted:
        if not _SECTION.fullmatch(name):
            raise ValueError(f"not a part of a message: {name!r}")
    return wanted


async def beginning(wire: Wire, uid: int, octets: int) -> bytes | None:
    """The first so many octets of a message, header and all; None when it is not there."""
    found: list[bytes] = []

    def read(uid: int, told: Told) -> Told | None:
        for name, value in told.items():
            raw = as_string(value)
            if name.startswith("BODY[]") and raw is not None:
                found.append(raw[:octets])
        return None

    asked = b"(UID BODY.PEEK[]<0.%d>)" % octets
    async for _ in gather(wire, [uid], asked, read, cut_at=octets):  # who gives more is cut short
        pass
    return found[0] if found else None


async def slices(
    wire: Wire, uid: int, section: str, octets: int = SLICE_OCTETS
) -> AsyncGenerator[bytes]:
    """A part as it is encoded, or with no section all of the message, some octets at a time.

    Ends where the server gives less than was asked for; what is not there (any more) gives nothing,
    not even an empty slice.
    """
    if section and not _SECTION.fullmatch(section):
        raise ValueError(f"not a part of a message: {section!r}")
    item = f"BODY[{section.upper()}]"
    begins = 0
    last = b""
    while True:
        came: list[tuple[bool, bytes]] = []

        def read(_: int, told: Told, came: list[tuple[bool, bytes]] = came) -> Told | None:
            for name, value in told.items():
                raw = as_string(value)
                if name.startswith(item) and raw is not None and not came:
                    came.append(("<" in name, raw))
            return None

        asked = f"(UID BODY.PEEK[{section.upper()}]<{begins}.{octets}>)".encode()
        async for _ in gather(wire, [uid], asked, read):
            pass
        if not came:
            return
        is_slice, data = came[0]
        if not is_slice and (len(data) > octets or data == last):
            if begins == 0:  # a server that gives all at once, whatever is asked
                yield data
            return
        yield data[:octets]
        if len(data) < octets:
            return
        begins += octets
        last = data

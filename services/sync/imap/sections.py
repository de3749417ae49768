"""Reading parts of a message without the rest (BODY.PEEK[...], RFC 9051 §6.4.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.sync.imap.gathering import Told, gather
from services.sync.imap.parser import as_string
from services.sync.imap.wire import Wire

_SECTION = re.compile(r"(?:[1-9]\d*\.)*(?:[1-9]\d*|HEADER|TEXT|[1-9]\d*\.MIME)")


async def sections(wire: Wire, uid: int, names: Sequence[str]) -> dict[str, bytes]:
    """These parts, as encoded; what the server does not have, or says NIL to, is left out."""
    wanted = {name.upper(): name for name in names}
    for name in wanted:
        if not _SECTION.fullmatch(name):
            raise ValueError(f"not a part of a message: {name!r}")
    if not wanted:
        return {}
    items = " ".join(f"BODY.PEEK[{name}]" for name in wanted)
    found: dict[str, bytes] = {}

    def read(uid: int, told: Told) -> Told | None:
        for name, value in told.items():
            section = name.removeprefix("BODY[").removesuffix("]")
            raw = as_string(value)
            if section != name and section in wanted and raw is not None:
                found.setdefault(wanted[section], raw)  # said twice: the first holds
        return None  # a server may tell each in an answer of its own

    async for _ in gather(wire, [uid], f"(UID {items})".encode(), read):
        pass
    return found


async def beginning(wire: Wire, uid: int, octets: int) -> bytes | None:
    """The first so many octets of a message, header and all; None when it is not there."""
    found: list[bytes] = []

    def read(uid: int, told: Told) -> Told | None:
        for name, value in told.items():
            raw = as_string(value)
            if name.startswith("BODY[]") and raw is not None:
                found.append(raw[:octets])  # a server that gives more is not believed
        return None

    async for _ in gather(wire, [uid], b"(UID BODY.PEEK[]<0.%d>)" % octets, read):
        pass
    return found[0] if found else None

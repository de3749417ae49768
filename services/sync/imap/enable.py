"""Agreeing on more than plain IMAP (ENABLE, RFC 5161)."""

from __future__ import annotations

from services.sync.imap.errors import Refused, Unavailable
from services.sync.imap.exchange import offers_in
from services.sync.imap.parser import Untagged
from services.sync.imap.wire import Wire


async def enable(wire: Wire) -> frozenset[str]:
    """Have vanished messages told by UID (QRESYNC) and names in UTF-8; what was agreed on."""
    if wire.offers.isdisjoint({"ENABLE", "IMAP4REV2"}):
        return frozenset()
    wanted = [
        *[name for name in ("QRESYNC", "CONDSTORE") if name in wire.offers][:1],
        *[name for name in ("UTF8=ACCEPT", "IMAP4REV2") if name in wire.offers][:1],
    ]
    if not wanted:
        return frozenset()
    enabled: frozenset[str] = frozenset()
    try:
        async with wire.exchange() as exchange:
            await exchange.send("ENABLE", *(name.encode() for name in wanted))
            async for answer in exchange.answers():
                match answer:
                    case Untagged(kind="ENABLED"):
                        enabled |= offers_in(answer.values())
                    case _:
                        exchange.overhear(answer)
    except Unavailable:
        raise
    except Refused:
        return frozenset()  # offered, but not understood: plain IMAP will do
    if "QRESYNC" in enabled:  # which it implies (RFC 7162 §3.2.3)
        enabled |= {"CONDSTORE"}
    wire.enabled = enabled
    return enabled

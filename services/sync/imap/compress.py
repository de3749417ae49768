"""Compressing what travels (COMPRESS=DEFLATE, RFC 4978)."""

from __future__ import annotations

from services.sync.imap.errors import Refused
from services.sync.imap.wire import Wire


async def compress(wire: Wire) -> bool:
    """Compress from here on, both ways; False when the server does not want to."""
    if "COMPRESS=DEFLATE" not in wire.offers:
        return False
    try:
        async with wire.exchange() as exchange:
            await exchange.send("COMPRESS", b"DEFLATE")
            await exchange.finish()
            wire.compress()
    except Refused:
        return False
    return True

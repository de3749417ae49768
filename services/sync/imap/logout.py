"""Saying goodbye (LOGOUT, RFC 9051 §6.1.3)."""

from __future__ import annotations

import asyncio

from services.sync.imap.errors import ImapError
from services.sync.imap.wire import Wire

PATIENCE_SECONDS = 5.0


async def logout(wire: Wire) -> None:
    """Say goodbye and close; that the other end is gone already is no matter."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), wire.exchange() as exchange:
            await exchange.send("LOGOUT")
            await exchange.finish()
    except (ImapError, TimeoutError):
        pass  # gone is gone
    wire.abort()
    await wire.closed

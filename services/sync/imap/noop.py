"""Asking for news (NOOP, RFC 9051 §6.1.2)."""

from __future__ import annotations

from services.sync.imap.wire import Wire


async def noop(wire: Wire) -> None:
    """Ask for news; proves that the server is alive."""
    async with wire.exchange() as exchange:
        await exchange.send("NOOP")
        await exchange.finish()

"""What a server offers (CAPABILITY, RFC 9051 §6.1.1)."""

from __future__ import annotations

from services.sync.imap.wire import Wire

#: Names in upper case: `"IDLE" in capabilities`.
Capabilities = frozenset[str]


async def ask_capabilities(wire: Wire) -> None:
    """Learn what the server offers in the present state."""
    async with wire.exchange() as exchange:
        await exchange.send("CAPABILITY")
        await exchange.finish()

"""Hearing of every mailbox on one connection (NOTIFY, RFC 5465)."""

from __future__ import annotations

import contextlib

from services.sync.imap.errors import Refused
from services.sync.imap.wire import Wire

_EVENTS = (
    b"(SELECTED (MessageNew MessageExpunge FlagChange)) "
    b"(PERSONAL (MessageNew MessageExpunge FlagChange))"
)


async def notify(wire: Wire) -> bool:
    """Be told of all that happens, in any mailbox; False when the server does not do that."""
    if "NOTIFY" not in wire.offers:
        return False
    try:
        async with wire.exchange() as exchange:
            await exchange.send("NOTIFY", b"SET", _EVENTS)
            wire.notifying = True  # what is told before the command is done is news already
            await exchange.finish()
    except Refused:
        wire.notifying = False
        return False
    return True


async def unnotify(wire: Wire) -> None:
    """Be told of nothing but the open mailbox again (NOTIFY NONE).

    A server that refuses may go on telling; nothing is built on it any more.
    """
    if not wire.notifying:
        return
    with contextlib.suppress(Refused):
        async with wire.exchange() as exchange:
            await exchange.send("NOTIFY", b"NONE")
            await exchange.finish()
    wire.notifying = False

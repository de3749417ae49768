"""Who is talking to whom (ID, RFC 2971). Some providers serve nobody who has not said."""

from __future__ import annotations

from collections.abc import Mapping

from services.sync.imap.arguments import string
from services.sync.imap.parser import Untagged, Value, as_string, as_text
from services.sync.imap.wire import Wire


async def identify(wire: Wire, fields: Mapping[str, str]) -> dict[str, str]:
    """Introduce ourselves and learn what the server is; empty where ID is not offered."""
    if "ID" not in wire.offers:
        return {}
    words = [string(word) for pair in fields.items() for word in pair]
    if not all(isinstance(word, bytes) for word in words):
        raise ValueError("an introduction is made of short ASCII words")
    said: dict[str, str] = {}
    async with wire.exchange() as exchange:
        listed = b" ".join(word for word in words if isinstance(word, bytes))
        await exchange.send("ID", b"(" + listed + b")" if listed else b"NIL")
        async for answer in exchange.answers():
            match answer:
                case Untagged(kind="ID"):
                    said.update(_pairs(answer.values()))
                case _:
                    exchange.overhear(answer)
    return said


def _pairs(values: list[Value]) -> dict[str, str]:
    items = values[0] if values and isinstance(values[0], list) else []
    return {
        as_text(name).lower(): as_text(value)
        for name, value in zip(
            map(as_string, items[::2]), map(as_string, items[1::2]), strict=False
        )
        if name is not None and value is not None
    }

"""An answer leaves in one piece."""

import asyncio
from typing import Any, cast

from services.api.http.corked import Corked


class Wire:
    """A transport that remembers what it was given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent.append(data)

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str) -> str:
        return name


def corked() -> tuple[Wire, Any]:
    wire = Wire()
    return wire, Corked(cast(asyncio.Transport, wire))


async def test_what_is_written_in_one_turn_is_sent_together() -> None:
    wire, transport = corked()
    for data in (b"head", b"body"):
        transport.write(data)
    assert wire.sent == []
    await asyncio.sleep(0)
    assert wire.sent == [b"headbody"]
    transport.write(b"more")
    await asyncio.sleep(0)
    assert wire.sent == [b"headbody", b"more"]


async def test_nothing_is_lost_at_the_end_and_much_is_not_held_back() -> None:
    wire, transport = corked()
    transport.write(b"x" * 70_000)
    assert [len(data) for data in wire.sent] == [70_000]
    transport.write(b"the end")
    transport.close()
    assert wire.sent[1:] == [b"the end"]
    assert wire.closed
    await asyncio.sleep(0)
    assert len(wire.sent) == 2
    assert transport.get_extra_info("peername") == "peername"

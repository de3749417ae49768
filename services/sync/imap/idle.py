"""Waiting for news (IDLE, RFC 2177). A hint only: whoever wakes looks for himself."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from services.sync.imap.noop import noop
from services.sync.imap.parser import Continue, Status
from services.sync.imap.wire import Exchange, Wire

#: Many providers and routers end what was quiet for ten minutes, whatever RFC 2177 allows.
LONGEST_SECONDS = 9 * 60 - 10
#: How often a server without IDLE is asked.
POLL_SECONDS = 60.0


class Woken(Enum):
    """Why waiting ended."""

    NEWS = auto()  # the server told something: see take_news
    CALLED = auto()  # the caller's event was set
    TIMEOUT = auto()  # all quiet; wait again


async def idle(wire: Wire, seconds: float, wake: asyncio.Event | None) -> Woken:
    """Wait until there is news, `wake` is set or time is up, never longer than nine minutes."""
    wire.catch_up()
    if wire.news:
        return Woken.NEWS
    seconds = min(seconds, LONGEST_SECONDS)
    if "IDLE" not in wire.offers:
        return await _poll(wire, seconds, wake)
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    async with wire.exchange() as exchange:
        await exchange.send("IDLE")
        await exchange.go_ahead()
        calling = asyncio.create_task(_wake_on(wake, wire)) if wake else None
        try:
            while not wire.news and exchange.owed and loop.time() < until and not _called(wake):
                if await wire.something(until):
                    await _listen(exchange)
        finally:
            if calling is not None:
                calling.cancel()
        if exchange.owed:
            await exchange.send_line(b"DONE")
            await exchange.finish()
    return _why(wire, wake)


async def _listen(exchange: Exchange) -> None:
    """Take in what is there; a server may also end IDLE by itself."""
    match answer := await exchange.next():
        case Continue():
            pass
        case Status(tag=str(), status="NO" | "BAD"):
            raise exchange.refusal(answer)
        case _:
            exchange.overhear(answer)


async def _poll(wire: Wire, seconds: float, wake: asyncio.Event | None) -> Woken:
    """Where IDLE is not offered: wait, then ask."""
    try:
        async with asyncio.timeout(min(seconds, POLL_SECONDS)):
            await (wake or asyncio.Event()).wait()
    except TimeoutError:
        await noop(wire)
    return _why(wire, wake)


async def _wake_on(wake: asyncio.Event, wire: Wire) -> None:
    await wake.wait()
    wire.wake()


def _called(wake: asyncio.Event | None) -> bool:
    return wake is not None and wake.is_set()


def _why(wire: Wire, wake: asyncio.Event | None) -> Woken:
    if wire.news:
        return Woken.NEWS
    return Woken.CALLED if _called(wake) else Woken.TIMEOUT

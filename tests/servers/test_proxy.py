"""The way between a client and a server is as bad as a test wants it, and no worse."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from tests.servers.proxy import LOOPBACK, End, Proxy


@asynccontextmanager
async def an_echo() -> AsyncGenerator[int]:
    """A server that gives back what it is given."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


async def test_all_bytes_come_through_in_order() -> None:
    sent = bytes(range(256)) * 20_000
    async with an_echo() as port, Proxy.to(port) as proxy:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        assert (proxy.accepted, proxy.connections) == (1, 1)
        writer.close()


async def test_a_round_trip_takes_twice_the_delay_however_much_is_under_way() -> None:
    async with an_echo() as port, Proxy.to(port, delay_seconds=0.1) as proxy:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        began = time.monotonic()
        for _ in range(20):
            writer.write(b"x" * 1000)
            await asyncio.sleep(0)
        await reader.readexactly(20_000)
        assert time.monotonic() - began >= 0.2
        writer.close()


async def test_a_narrow_way_takes_its_time() -> None:
    async with an_echo() as port, Proxy.to(port, bytes_per_second=20_000) as proxy:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        began = time.monotonic()
        writer.write(b"x" * 10_000)
        await reader.readexactly(10_000)
        assert time.monotonic() - began >= 0.4
        writer.close()


@pytest.mark.parametrize("how", list(End))
async def test_a_connection_is_cut_at_any_byte(how: End) -> None:
    async with an_echo() as port, Proxy.to(port) as proxy:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(b"hello")
        await reader.readexactly(5)
        proxy.cut_after(1234, how)
        writer.write(b"x" * 5000)
        got = b""
        try:
            while piece := await reader.read(65536):
                got += piece
            ended = End.POLITE
        except ConnectionResetError:
            ended = End.RUDE
        # What TCP has not given to the client yet, a reset takes with it.
        assert len(got) == 1234 if how is End.POLITE else len(got) <= 1234
        assert ended is how
        writer.close()


async def test_where_nothing_is_open_the_next_connection_is_cut_and_only_that() -> None:
    async with an_echo() as port, Proxy.to(port) as proxy:
        proxy.cut_after(3, End.POLITE)
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(b"abcdef")
        assert await reader.read() == b"abc"
        writer.close()
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(b"abcdef")
        assert await reader.readexactly(6) == b"abcdef"
        writer.close()


async def test_a_silent_connection_stays_open_and_a_new_one_works() -> None:
    async with an_echo() as port, Proxy.to(port) as proxy:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(b"hello")
        await reader.readexactly(5)
        proxy.silence()
        writer.write(b"hello?")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read(1)
        assert not reader.at_eof()
        other_reader, other_writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        other_writer.write(b"hello")
        assert await other_reader.readexactly(5) == b"hello"
        writer.close()
        other_writer.close()

# ruff: noqa: PT012 - what is raised must also pass through the session that is open
import asyncio
from contextlib import aclosing

import pytest

from services.sync.imap import (
    Disconnected,
    Exists,
    Silent,
)
from tests.sync.imap.scripted import Peer, message, opened, talking_to


async def test_a_server_that_falls_silent_ends_the_session():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says("* 4 EXISTS")
        await peer.reader.read()

    with pytest.raises(Silent):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            try:
                await session.noop()
            finally:
                assert session.lost
                assert session.take_news() == [Exists(4)]


async def test_a_server_that_drips_for_ever_is_not_waited_for():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        while True:
            await peer.sends(b"x")
            await asyncio.sleep(0.1)

    with pytest.raises(Silent):
        async with asyncio.timeout(6), talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            await session.noop()


@pytest.mark.parametrize("end", [b"", b"* 1 FETCH (UID 1 BODY[] {5}\r\nab", b"* 1 FE"])
async def test_a_connection_that_ends_in_the_middle_is_told(end: bytes):
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.sends(message(2, 2, b"two") + b"\r\n" + end)

    with pytest.raises(Disconnected):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            async for each in session.fetch([1, 2]):
                assert each.raw == b"two"
            pytest.fail("the rest never came")


async def test_noise_and_answers_to_nobody_are_passed_over():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says("", "what?", "X9 OK never asked", "X9 NO never asked", "+ and?", "* ")
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        await session.noop()


async def test_a_session_given_up_in_the_middle_is_not_used_again():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says(message(1, 1, b"one"))
        await peer.reader.read()

    with pytest.raises(Disconnected):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            async with aclosing(session.fetch([1, 2])) as messages:
                async for _ in messages:
                    break
            assert session.lost
            await session.noop()


async def test_callers_that_share_a_session_wait_for_each_other():
    async def more(peer: Peer) -> None:
        for _ in range(3):
            await peer.expects("NOOP")
            await asyncio.sleep(0.01)
            await peer.says("{tag} OK")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        await asyncio.gather(*(session.noop() for _ in range(3)))


async def test_leaving_with_an_error_of_ones_own_closes_the_connection():
    closed = asyncio.Event()

    async def more(peer: Peer) -> None:
        assert await peer.reader.read() == b""
        closed.set()

    with pytest.raises(ZeroDivisionError):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            raise ZeroDivisionError
    assert closed.is_set()

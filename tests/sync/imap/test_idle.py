# ruff: noqa: PT012 - what is raised must also pass through the session that is open
import asyncio

import pytest

from services.sync.imap import (
    Bye,
    Exists,
    Flood,
    Woken,
)
from tests.sync.imap.scripted import Peer, opened, talking_to


async def test_new_mail_ends_the_wait():
    async def more(peer: Peer) -> None:
        await peer.expects("IDLE")
        await peer.says("+ idling", "* OK Still here")
        await peer.says("* 4 EXISTS")
        assert await peer.line() == b"DONE"
        await peer.says("* 5 EXISTS", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more, capabilities="IMAP4rev1 IDLE")) as session:
        await session.select("INBOX", readonly=True)
        assert await session.idle(5) is Woken.NEWS
        assert session.take_news() == [Exists(4), Exists(5)]


async def test_news_from_before_the_wait_ends_it_at_once():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says("* 4 EXISTS", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more, capabilities="IMAP4rev1 IDLE")) as session:
        await session.select("INBOX", readonly=True)
        await session.noop()
        assert await session.idle(5) is Woken.NEWS


@pytest.mark.parametrize("called", [True, False])
async def test_the_wait_ends_when_called_or_when_time_is_up(called: bool):
    async def more(peer: Peer) -> None:
        await peer.expects("IDLE")
        await peer.says("+ idling")
        if called:
            wake.set()
        assert await peer.line() == b"DONE"
        await peer.says("{tag} OK done")
        await peer.parts()

    wake = asyncio.Event()
    async with talking_to(opened(more, capabilities="IMAP4rev1 IDLE")) as session:
        await session.select("INBOX", readonly=True)
        woken = await session.idle(5 if called else 0.1, wake=wake)
    assert woken is (Woken.CALLED if called else Woken.TIMEOUT)


async def test_a_server_that_hangs_up_ends_the_wait():
    async def more(peer: Peer) -> None:
        await peer.expects("IDLE")
        await peer.says("+ idling", "* BYE Maintenance.")

    with pytest.raises(Bye, match="Maintenance"):
        async with talking_to(opened(more, capabilities="IMAP4rev1 IDLE")) as session:
            await session.select("INBOX", readonly=True)
            await session.idle(5)


async def test_where_idle_is_not_offered_the_server_is_asked():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says("* 4 EXISTS", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert await session.idle(0.05) is Woken.NEWS


async def test_more_news_than_anybody_takes_becomes_one_word():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says("* 1 EXPUNGE\r\n" * 30_000 + "{tag} OK")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        await session.noop()
        news = session.take_news()
    assert news[0] == Flood()
    assert len(news) < 20_000

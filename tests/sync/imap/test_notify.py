import asyncio

import pytest

from services.sync.imap import Elsewhere, Exists, Flood, Session, StatusOf, Woken
from services.sync.imap.news import MAX_KEPT
from tests.sync.imap.scripted import Peer, talking_to

SET = (
    r"NOTIFY SET \(SELECTED \(MessageNew MessageExpunge FlagChange\)\) \(PERSONAL "
    r"\(MessageNew MessageExpunge FlagChange\)\)"
)


def counters(
    messages: int | None = None, uidnext: int | None = None, highestmodseq: int | None = None
) -> StatusOf:
    return StatusOf(
        uidvalidity=None, uidnext=uidnext, messages=messages, highestmodseq=highestmodseq
    )


async def hearing(peer: Peer) -> None:
    await peer.greets("IMAP4rev1 IDLE NOTIFY")
    await peer.expects(SET)
    await peer.says("{tag} OK done")


async def opening(session: Session) -> None:
    assert await session.notify()
    assert session.notifying
    await session.select("INBOX", readonly=True)


async def test_mail_in_another_mailbox_ends_the_wait():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.opens()
        await peer.expects("IDLE")
        await peer.says("+ idling")
        await peer.says('* STATUS "Entw&APw-rfe" (MESSAGES 3 UIDNEXT 9 UNSEEN 1)')
        assert await peer.line() == b"DONE"
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await opening(session)
        assert await session.idle(5) is Woken.NEWS
        assert session.take_news() == [Elsewhere(b"Entw&APw-rfe", counters(3, 9))]


async def test_what_is_told_of_one_mailbox_many_times_is_one_word():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.opens()
        await peer.expects("NOOP")
        await peer.says("* STATUS a (MESSAGES 3 UIDNEXT 9)", "* STATUS b (MESSAGES 1)")
        await peer.says("* STATUS a (HIGHESTMODSEQ 7)", "* 4 EXISTS", "* STATUS a (MESSAGES 2)")
        await peer.says('* LIST (\\NonExistent) "/" b', "* STATUS b (MESSAGES 9)")
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await opening(session)
        await session.noop()
        assert session.take_news() == [
            Exists(4),
            Elsewhere(b"a", counters(2, 9, 7)),
            Elsewhere(b"b", None),
        ]


async def test_news_of_other_mailboxes_outlive_the_opening_of_one():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.opens(more=("* STATUS a (MESSAGES 3)", '* LIST () "/" INBOX'))
        await peer.opens(more=('* LIST () "/" c',))
        await peer.parts()

    async with talking_to(script) as session:
        await opening(session)
        await session.select("b", readonly=True)
        assert session.take_news() == [
            Elsewhere(b"a", counters(3)),
            Elsewhere(b"c", None),
        ]


async def test_counters_we_asked_for_are_no_news():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.opens()
        await peer.expects('STATUS "a" .*')
        await peer.says("* STATUS b (MESSAGES 1)", "* STATUS a (MESSAGES 2)", "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await opening(session)
        assert await session.status(["a"]) == {"a": counters(2)}
        assert session.take_news() == [Elsewhere(b"b", counters(1))]


async def test_a_server_that_cannot_tell_all_says_so_and_so_do_we():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.opens()
        await peer.expects("IDLE")
        await peer.says("+ idling", "* OK [NOTIFICATIONOVERFLOW] too much")
        assert await peer.line() == b"DONE"
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await opening(session)
        assert await session.idle(5) is Woken.NEWS
        assert session.take_news() == [Flood()]
        assert not session.notifying


async def test_more_mailboxes_than_there_can_be_become_one_word():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.opens()
        await peer.expects("NOOP")
        names = "".join(f"* STATUS m{n} (MESSAGES 1)\r\n" for n in range(MAX_KEPT + 1))
        await peer.says(names + "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await opening(session)
        await session.noop()
        news = session.take_news()
    assert news == [Flood(), Elsewhere(f"m{MAX_KEPT}".encode(), counters(1))]


@pytest.mark.parametrize("says", ["* STATUS what", "* LIST ()", "* STATUS a (MESSAGES 1"])
async def test_news_that_cannot_be_read_are_a_reason_to_look_everywhere(says: str):
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.opens()
        await peer.expects("NOOP")
        await peer.says(says, "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await opening(session)
        await session.noop()
        assert session.take_news() == [Flood()]


async def test_a_server_that_refuses_to_notify_is_asked_the_old_way():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 NOTIFY")
        await peer.expects("NOTIFY .*")
        await peer.says("{tag} NO [BADEVENT (MessageNew)] not that")
        await peer.opens()
        await peer.expects("NOOP")
        await peer.says("* STATUS a (MESSAGES 1)", '* LIST () "/" b', "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        assert not await session.notify()
        assert not session.notifying
        await session.select("INBOX", readonly=True)
        await session.noop()
        assert session.take_news() == []


async def test_a_server_that_refuses_to_be_silent_is_asked_the_old_way_too():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.expects("NOTIFY NONE")
        await peer.says("{tag} BAD NOTIFY NONE is not known here")
        await peer.opens()
        await peer.expects("NOOP")
        await peer.says("* STATUS a (MESSAGES 1)", "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        assert await session.notify()
        await session.unnotify()
        assert not session.notifying
        await session.select("INBOX", readonly=True)
        await session.noop()
        assert session.take_news() == []


async def test_one_can_wait_for_news_with_no_mailbox_open():
    async def script(peer: Peer) -> None:
        await hearing(peer)
        await peer.expects("IDLE")
        await peer.says("+ idling")
        await asyncio.sleep(0.01)
        await peer.says("* STATUS a (MESSAGES 1)")
        assert await peer.line() == b"DONE"
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        assert await session.notify()
        assert await session.idle(5) is Woken.NEWS

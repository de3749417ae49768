# ruff: noqa: PT012 - what is raised must also pass through the session that is open
import asyncio
from contextlib import aclosing

import pytest

from services.sync.domain.covered import EVERY_UID, Covered, Span
from services.sync.imap import (
    Disconnected,
    Exists,
    Expunged,
    FlagsOf,
    Garbled,
    Limits,
    Marked,
    Refused,
    Session,
    Vanished,
)
from tests.sync.imap.scripted import Peer, opened, talking_to

QRESYNC = "IMAP4rev1 ENABLE CONDSTORE QRESYNC"


async def all_flags(session: Session, span: Span) -> list[FlagsOf]:
    return [each async for page in session.flags(span) for each in page]


async def test_the_marks_of_fifty_thousand_messages_come_in_one_answer_and_many_pages():
    lines = b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (n, n) for n in range(1, 50_001))

    async def more(peer: Peer) -> None:
        await peer.expects(r"UID FETCH 1:\* \(UID FLAGS\)")
        await peer.sends(lines)
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more), limits=Limits(queued_bytes=100_000)) as session:
        await session.select("INBOX", readonly=True)
        pages = [page async for page in session.flags(EVERY_UID)]
    assert {len(page) for page in pages} == {1_000}
    marks = [each for page in pages for each in page]
    assert [each.uid for each in marks] == list(range(1, 50_001))
    assert {each.flags for each in marks} == {frozenset({"\\Seen"})}


async def test_marks_are_read_however_they_are_written():
    async def more(peer: Peer) -> None:
        await peer.expects(r"UID FETCH 3:\* .*")
        await peer.says(
            "* 1 FETCH (FLAGS (\\Seen $A) UID 4)",
            "* 2 FETCH (UID 5 FLAGS () MODSEQ (12))",
            b"* 3 FETCH (UID 6 FLAGS (x) X {3}\r\n)\r\n)",
            "* 4 FETCH (UID 2 FLAGS (\\Seen))",
            "* 5 FETCH (FLAGS (\\Deleted))",
            "* 6 FETCH (uid 7 flags (nil \\Seen) Y NIL)",
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert await all_flags(session, Span(3, EVERY_UID.last)) == [
            FlagsOf(4, frozenset({"\\Seen", "$A"}), None),
            FlagsOf(5, frozenset(), 12),
            FlagsOf(6, frozenset({"x"}), None),
            FlagsOf(7, frozenset({"\\Seen"}), None),
        ]
        assert session.take_news() == [
            Marked(4, 2, frozenset({"\\Seen"}), None),
            Marked(5, None, frozenset({"\\Deleted"}), None),
        ]


async def test_marks_that_cannot_be_read_do_not_look_like_a_message_that_is_gone():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says("* 1 FETCH (UID 4 FLAGS (\\Seen)", "{tag} OK done")
        await peer.reader.read()

    with pytest.raises(Garbled):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            await all_flags(session, EVERY_UID)


async def test_a_slow_reader_of_marks_makes_the_server_wait():
    lines = [
        b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (n, n) for n in range(at, at + 1_000))
        for at in range(1, 1_000_001, 1_000)
    ]
    sent = 0

    async def more(peer: Peer) -> None:
        nonlocal sent
        await peer.expects("UID FETCH .*")
        for some in lines:
            await peer.sends(some)
            sent += 1
        await peer.reader.read()

    with pytest.raises(Disconnected):
        async with talking_to(opened(more), limits=Limits(queued_bytes=500_000)) as session:
            await session.select("INBOX", readonly=True)
            async with aclosing(session.flags(EVERY_UID)) as pages:
                async for _ in pages:
                    await asyncio.sleep(0.3)
                    ahead = sent  # what the kernel's buffers take is not ours
                    break
            assert ahead < 800
            await session.noop()


async def test_what_changed_and_what_vanished_since_is_told_together():
    async def more(peer: Peer) -> None:
        await peer.expects("ENABLE QRESYNC")
        await peer.says("* ENABLED QRESYNC", "{tag} OK done")
        await peer.opens(more=("* OK [HIGHESTMODSEQ 20] ok",))
        await peer.expects(r"UID FETCH 1:\* \(UID FLAGS\) \(CHANGEDSINCE 17 VANISHED\)")
        await peer.says(
            "* VANISHED (EARLIER) 41,43:116,405",
            "* 1 FETCH (UID 9 FLAGS (\\Seen) MODSEQ (18))",
            "* VANISHED 7",
            "* 4 EXISTS",
            "* 2 FETCH (FLAGS (\\Deleted))",
            "* 3 FETCH (MODSEQ (19) UID 12 FLAGS ())",
            "* vanished (earlier) 2",
            "{tag} OK done",
        )
        await peer.parts()

    async def script(peer: Peer) -> None:
        await peer.greets(QRESYNC)
        await more(peer)

    async with talking_to(script) as session:
        await session.enable()
        await session.select("INBOX", readonly=True)
        told = [each async for each in session.changes(17)]
        assert told == [
            Covered((Span(41, 41), Span(43, 116), Span(405, 405))),
            Covered((Span(7, 7),)),
            Covered((Span(2, 2),)),
            [FlagsOf(9, frozenset({"\\Seen"}), 18), FlagsOf(12, frozenset(), 19)],
        ]
        assert session.take_news() == [
            Vanished(Covered((Span(7, 7),)), earlier=False),
            Exists(4),
            Marked(2, None, frozenset({"\\Deleted"}), None),
        ]


async def test_a_server_that_never_agreed_to_it_is_not_asked_what_vanished():
    async def more(peer: Peer) -> None:
        await peer.expects(r"UID FETCH 1:\* \(UID FLAGS\) \(CHANGEDSINCE 17\)")
        await peer.says("* 3 EXPUNGE", "* 1 FETCH (UID 9 FLAGS () MODSEQ (18))", "{tag} OK done")
        await peer.expects(r"UID FETCH 1:\* \(UID FLAGS\) \(CHANGEDSINCE 18\)")
        await peer.says("{tag} BAD [NOMODSEQ] no such thing here")
        await peer.parts()

    async with talking_to(opened(more, capabilities=QRESYNC)) as session:
        await session.select("INBOX", readonly=True)
        told = [each async for each in session.changes(17)]
        assert told == [[FlagsOf(9, frozenset(), 18)]]
        assert session.take_news() == [Expunged(3)]
        with pytest.raises(Refused):
            _ = [each async for each in session.changes(18)]


@pytest.mark.parametrize("says", ["* VANISHED (EARLIER) 1:x", "* VANISHED (EARLIER) 0"])
async def test_a_list_of_the_vanished_that_cannot_be_read_is_no_list(says: str):
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says(says, "{tag} OK done")
        await peer.reader.read()

    with pytest.raises(Garbled):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            _ = [each async for each in session.changes(1)]


async def test_a_hundred_thousand_vanished_come_in_handy_pieces():
    gone = ",".join(str(uid) for uid in range(1, 200_001, 2))

    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says(f"* VANISHED (EARLIER) {gone}", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        told = [each async for each in session.changes(1)]
    sizes = [len(each) for each in told if isinstance(each, Covered)]
    assert (sum(sizes), max(sizes)) == (100_000, 10_000)


async def test_changes_that_end_in_the_middle_are_not_all_changes():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says("* 1 FETCH (UID 9 FLAGS () MODSEQ (18))")

    with pytest.raises(Disconnected):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            _ = [each async for each in session.changes(1)]


async def test_asking_inside_a_stream_is_an_error_and_no_deadlock():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.sends(b"* 1 FETCH (UID 1 FLAGS ())\r\n" * 1_000)
        await peer.says("* 2 FETCH (UID 2 FLAGS ())")
        await peer.reader.read()

    with pytest.raises(RuntimeError, match="stream"):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            async with aclosing(session.flags(EVERY_UID)) as pages:
                async for _ in pages:
                    await session.noop()


async def test_asking_for_news_inside_a_stream_takes_nothing_from_it():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.sends(b"* 1 FETCH (UID 1 FLAGS ())\r\n" * 1_000)
        await peer.says("* 2 FETCH (UID 2 FLAGS ())", "* 4 EXISTS", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        counts: list[int] = []
        async for page in session.flags(EVERY_UID):
            counts.append(len(page))
            await asyncio.sleep(0.05)  # all of it is here
            assert session.take_news() == ([] if len(counts) == 1 else [Exists(4)])
    assert counts == [1_000, 1]

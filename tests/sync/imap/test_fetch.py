# ruff: noqa: PT012 - what is raised must also pass through the session that is open
import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from services.sync.domain.covered import Covered, Span
from services.sync.imap import (
    Exists,
    Expunged,
    Limits,
    Marked,
    TooLarge,
    Unavailable,
    Vanished,
)
from tests.sync.imap.scripted import Peer, message, opened, talking_to

ITEMS = r"\(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK\[\]\)"


async def test_messages_are_fetched_by_several_commands_at_once():
    async def more(peer: Peer) -> None:
        tags = []
        for pair in ("1:2", "3:4", "5:6"):
            await peer.expects(f"UID FETCH {pair} {ITEMS}")
            tags.append(peer.tag)
        for number, tag in enumerate(tags):
            for uid in (2 * number + 1, 2 * number + 2):
                await peer.says(message(uid, uid, b"* %d EXPUNGE\r\n" % uid, flags="\\Seen"))
            await peer.says(f"{tag} OK done")
        await peer.expects(f"UID FETCH 7 {ITEMS}")
        await peer.says("{tag} OK nothing there any more")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        fetched = [m async for m in session.fetch(range(1, 8), batch=2, in_flight=3)]
        assert session.take_news() == []
    assert [each.uid for each in fetched] == [1, 2, 3, 4, 5, 6]
    assert fetched[0].raw == b"* 1 EXPUNGE\r\n"
    assert fetched[0].internal_date == datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)
    assert (fetched[0].size, fetched[0].flags) == (13, {"\\Seen"})


async def test_what_happens_in_the_mailbox_during_a_fetch_is_not_lost():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH 1:2 .*")
        await peer.says(
            "* 3 EXPUNGE",
            message(1, 1, b"one"),
            "* VANISHED (EARLIER) 41,43:116",
            "* VANISHED 7",
            "* 4 EXISTS",
            "* 4 FETCH (UID 90 FLAGS (\\Seen) MODSEQ (9))",
            "* OK Still here",
            message(2, 2, b"two"),
            "* 9 FETCH (((",
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert [m.raw async for m in session.fetch([1, 2])] == [b"one", b"two"]
        assert session.take_news() == [
            Expunged(3),
            Vanished(Covered((Span(41, 41), Span(43, 116))), earlier=True),
            Vanished(Covered((Span(7, 7),)), earlier=False),
            Exists(4),
            Marked(4, 90, frozenset({"\\Seen"}), 9),
        ]
        assert session.take_news() == []


async def test_a_message_told_in_two_answers_or_twice_is_one_message():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH 1:4 .*")
        await peer.says(
            "* 1 FETCH (UID 1 FLAGS (\\Seen))",
            "* 1 FETCH (UID 1 BODY[] {3}",
            "one RFC822.SIZE NIL)",
            message(2, 2, b"two"),
            message(2, 2, b"two"),
            message(3, 77, b"not asked for"),
            "* 4 FETCH (UID 3 FLAGS () BODY[] NIL)",
            '* 5 FETCH (UID 4 FLAGS () BODY[] "" INTERNALDATE NIL)',
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        fetched = {m.uid: m async for m in session.fetch([1, 2, 3, 4])}
    assert {uid: each.raw for uid, each in fetched.items()} == {1: b"one", 2: b"two", 4: b""}
    assert (fetched[1].flags, fetched[1].size) == ({"\\Seen"}, 3)
    assert fetched[4].internal_date is None


async def test_a_refused_fetch_hands_over_what_came_and_leaves_the_session_in_order():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH 1 .*")
        first = peer.tag
        await peer.expects("UID FETCH 2 .*")
        await peer.says(f"{first} NO [SERVERBUG] cannot read", message(2, 2, b"two"), "{tag} OK")
        await peer.expects("NOOP")
        await peer.says("{tag} OK")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        came: list[int] = []
        with pytest.raises(Unavailable, match="cannot read"):
            async for each in session.fetch([1, 2, 3], batch=1, in_flight=2):
                came.append(each.uid)
        assert came == [2]
        await session.noop()


async def test_a_slow_reader_makes_the_server_wait_instead_of_filling_memory():
    raw = b"x" * 100_000
    sent = 0

    async def more(peer: Peer) -> None:
        nonlocal sent
        await peer.expects("UID FETCH .*")
        for uid in range(1, 201):
            await peer.says(message(uid, uid, raw))
            sent = uid
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more), limits=Limits(queued_bytes=500_000)) as session:
        await session.select("INBOX", readonly=True)
        came = 0
        async with aclosing(session.fetch(range(1, 201), batch=200)) as messages:
            async for each in messages:
                came += len(each.raw) == len(raw)
                if came == 1:
                    await asyncio.sleep(0.3)
                    ahead = sent  # what the kernel's buffers take is not ours
        assert came == 200
        assert ahead < 150


async def test_a_literal_larger_than_we_hold_ends_the_session():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says("* 1 FETCH (UID 1 BODY[] {100000000}")
        await peer.reader.read()

    with pytest.raises(TooLarge):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            async for _ in session.fetch([1]):
                pass


async def test_a_message_larger_than_wanted_is_passed_over_whatever_was_said_of_its_size():
    large = b"x" * 3000

    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH 1:3 .*")
        lie = message(2, 2, large, flags="\\Seen").replace(b"RFC822.SIZE 3000", b"RFC822.SIZE 5")
        await peer.says(message(1, 1, b"one"), lie, message(3, 3, b"three"), "{tag} OK done")
        await peer.expects("UID FETCH 2 .*")
        await peer.says(message(2, 2, large), "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        first, second, third = [one async for one in session.fetch([1, 2, 3], at_most=1000)]
        assert (first.raw, third.raw) == (b"one", b"three")
        assert (second.whole, second.raw, second.size) == (False, b"", 3000)
        assert second.flags == {"\\Seen"}
        # Of the next answers nothing is missing.
        (whole,) = [one async for one in session.fetch([2])]
        assert (whole.whole, whole.raw) == (True, large)

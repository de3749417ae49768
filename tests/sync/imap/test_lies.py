# ruff: noqa: PT012 - what is raised must also pass through the session that is open
"""A server that lies, forgets and mumbles: nothing crashes, and nothing is lost without a word."""

import asyncio
import random
from array import array
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import pytest

from services.sync.domain.covered import EVERY_UID, Covered, Span
from services.sync.imap import (
    Bye,
    Disconnected,
    Endpoint,
    Exists,
    Expunged,
    Flood,
    Garbled,
    ImapError,
    Limits,
    Marked,
    Refused,
    Session,
    Silent,
    Timeouts,
    Vanished,
    connect,
)
from shared.contracts.account import Security
from tests.sync.imap.scripted import (
    QUICK,
    Peer,
    Script,
    dial,
    listening,
    message,
    opened,
    talking_to,
)

LISTS = "IMAP4rev1 LIST-EXTENDED LIST-STATUS"


async def fetched(session: Session, uids: list[int]) -> dict[int, bytes]:
    return {each.uid: each.raw async for each in session.fetch(uids)}


# -- what comes late, twice, or about something else ---------------------------------------------


async def test_an_expunge_that_comes_late_or_twice_is_news_each_time():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says("{tag} OK done", "* 3 EXPUNGE", "* 3 EXPUNGE", "* 0 EXPUNGE")
        await peer.expects("NOOP")
        await peer.says("* 9 EXPUNGE", "* VANISHED 7", "* VANISHED 7", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        await session.noop()
        await session.noop()
        gone = Vanished(Covered((Span(7, 7),)), earlier=False)
        assert session.take_news() == [
            Expunged(3),
            Expunged(3),
            Expunged(0),
            Expunged(9),
            gone,
            gone,
        ]


async def test_a_message_that_comes_after_the_answer_was_over_did_not_come():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says("{tag} OK done", message(1, 1, b"late"))
        await peer.expects("UID FETCH .*")
        await peer.says(message(2, 2, b"two"), message(1, 1, b"late"), "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert await fetched(session, [1]) == {}
        assert await fetched(session, [2]) == {2: b"two"}
        assert session.take_news() == [Marked(1, 1, frozenset(), None)] * 2


async def test_what_is_told_of_other_mailboxes_and_messages_in_between_is_not_ours():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says(
            "* STATUS other (MESSAGES 1 UIDNEXT 2)",
            '* LIST () "/" other',
            "* SEARCH 1 2 3",
            "* ESEARCH UID ALL 1:3",
            "* 1 FETCH (UID 1 FLAGS ())",
            '* LSUB () "/" other',
            "* FLAGS (\\Seen)",
            "* 3 RECENT",
            "* CAPABILITY IMAP4rev1 IDLE",
            "* ENABLED QRESYNC",
            "* ID NIL",
            "* OK [UIDVALIDITY 99] changed under you",
            "* OK [UIDNEXT 1] and backwards",
            "* OK [HIGHESTMODSEQ 1] and this",
            "{tag} OK done",
        )
        await peer.expects("UID SEARCH .*")
        await peer.says("* 1 FETCH (UID 1 FLAGS (\\Seen))", "* SEARCH 1", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        before = await session.select("INBOX", readonly=True)
        marks = [each async for page in session.flags(EVERY_UID) for each in page]
        assert [each.uid for each in marks] == [1]
        assert session.take_news() == []
        assert session.selected == before
        assert session.enabled == set()
        assert await session.uids(EVERY_UID) == array("I", [1])
        assert session.take_news() == [Marked(1, 1, frozenset({"\\Seen"}), None)]


async def test_answers_to_commands_in_the_wrong_order_are_told_apart():
    async def more(peer: Peer) -> None:
        tags: list[str] = []
        for _ in range(3):
            await peer.expects("UID FETCH .*")
            tags.append(peer.tag)
        await peer.says(message(3, 3, b"three"), f"{tags[2]} OK done")
        await peer.says(message(1, 1, b"one"), message(2, 2, b"two"), f"{tags[0]} OK done")
        await peer.says(f"{tags[0]} OK done again", f"{tags[1]} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        found = {m.uid: m.raw async for m in session.fetch([1, 2, 3], batch=1)}
    assert found == {1: b"one", 2: b"two", 3: b"three"}


# -- UIDs ----------------------------------------------------------------------------------------


async def test_uids_in_any_order_missing_or_twice_are_each_message_once():
    async def more(peer: Peer) -> None:
        await peer.expects("UID SEARCH .*")
        await peer.says("* SEARCH 9 3 3", "* SEARCH 100 4294967295", "{tag} OK done")
        await peer.expects("UID FETCH .*")
        await peer.says(
            message(3, 9, b"nine"),
            b"* 1 FETCH (FLAGS () BODY[] {2}\r\nno)",  # of whom?
            b"* 1 FETCH (UID x FLAGS () BODY[] {2}\r\nno)",
            b"* 1 FETCH (UID NIL FLAGS () BODY[] {2}\r\nno)",
            b"* 1 FETCH (UID 99999999999999999999 FLAGS () BODY[] {2}\r\nno)",
            b"* 1 FETCH (UID 0 FLAGS () BODY[] {2}\r\nno)",
            message(1, 3, b"three"),
            message(1, 3, b"again"),
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        selected = await session.select("INBOX", readonly=True)
        uids = await session.uids(EVERY_UID)
        # More than EXISTS says, and beyond UIDNEXT: what is listed is there.
        assert (selected.exists, selected.uidnext) == (3, 100)
        assert uids == array("I", [3, 9, 100, 4294967295])
        assert await fetched(session, [3, 9, 100]) == {3: b"three", 9: b"nine"}


async def test_marks_come_as_they_are_told_and_never_of_a_message_that_cannot_be():
    async def more(peer: Peer) -> None:
        for _ in range(2):
            await peer.expects("UID FETCH .*")
            await peer.says(
                "* 2 FETCH (UID 9 FLAGS (\\Seen) MODSEQ (99999999999999999999))",
                "* 1 FETCH (UID 3 FLAGS (\\Seen) MODSEQ (9999999999999999999))",
                "* 1 FETCH (UID 3 FLAGS () MODSEQ NIL)",
                b"* 1 FETCH (UID 4 FLAGS (a\0b \xff \xc3\xbc))",
                "* 4 FETCH (UID 0 FLAGS (\\Seen))",
                "* 4 FETCH (UID 4294967296 FLAGS (\\Seen))",
                "* 4 FETCH (UID 5)",
                "* 4 FETCH (FLAGS (\\Seen))",
                "{tag} OK done",
            )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        streams: list[Any] = [session.flags(EVERY_UID), session.changes(1)]
        for stream in streams:
            told = [each async for page in stream for each in page]
            assert told[:3] == [(9, {"\\Seen"}, None), (3, {"\\Seen"}, None), (3, set[str](), None)]
            assert [one.uid for one in told[3:]] == [4]
            assert not any("\0" in flag for flag in told[3].flags)
            assert len(session.take_news()) == 3


async def test_counters_that_cannot_be_are_not_told():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 CONDSTORE OBJECTID")
        await peer.expects("EXAMINE .*")
        await peer.says(
            "* 3 EXISTS",
            "* 99999999999999999999 EXISTS",
            "* OK [UIDVALIDITY 7] ok",
            "* OK [UIDNEXT 99999999999] no",
            "* OK [HIGHESTMODSEQ 99999999999999999999] no",
            "* OK [PERMANENTFLAGS NIL] no",
            "* OK [MAILBOXID (\xff)] no",
            "* FLAGS",
            "* OK [] what",
            "* OK [UNSEEN",
            "{tag} OK done",
        )
        await peer.expects('STATUS "a" .*')
        await peer.says("* STATUS a (MESSAGES -1 UIDNEXT NIL UIDVALIDITY () HIGHESTMODSEQ x)")
        await peer.says("{tag} OK done")
        for says in ("* 1 EXISTS", "* OK [UIDVALIDITY] no", "* OK [UIDVALIDITY NIL] no"):
            await peer.expects("EXAMINE .*")
            await peer.says(says, "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        selected = await session.select("INBOX", readonly=True)
        assert (selected.exists, selected.uidvalidity, selected.uidnext) == (3, 7, None)
        assert (selected.highestmodseq, selected.mailbox_id) == (None, None)
        (told,) = (await session.status(["a"])).values()
        assert (told.messages, told.uidnext, told.uidvalidity) == (None, None, None)
        for _ in range(3):
            with pytest.raises(Garbled, match="UIDVALIDITY"):
                await session.select("INBOX", readonly=True)
            assert session.selected is None


# -- NIL and literals where nobody expects them ----------------------------------------------------


async def test_nil_is_understood_wherever_it_stands():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says(
            "* 1 FETCH (UID 1 FLAGS NIL RFC822.SIZE 5 INTERNALDATE NIL X-GM-MSGID NIL "
            "X-GM-THRID NIL X-GM-LABELS NIL EMAILID NIL MODSEQ NIL)",
            "* 2 FETCH (UID 2 FLAGS () RFC822.SIZE NIL)",
            "* 3 FETCH NIL",
            "* 3 FETCH",
            "* 3 FETCH ()",
            "{tag} OK done",
        )
        await peer.expects("UID FETCH .*")
        await peer.says(
            "* 1 FETCH (UID 1 FLAGS NIL INTERNALDATE NIL RFC822.SIZE NIL BODY[] {1}",
            "x)",
            "* 2 FETCH (UID 2 FLAGS () BODY[] NIL)",
            "{tag} OK done",
        )
        await peer.expects("UID FETCH .*")
        await peer.says("* 1 FETCH (UID 1 BODYSTRUCTURE NIL)", "{tag} OK done")
        await peer.expects("UID FETCH .*")
        await peer.says("* 1 FETCH (UID 1 BODY[HEADER] NIL)", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more, capabilities="IMAP4rev1 X-GM-EXT-1 OBJECTID")) as session:
        await session.select("INBOX", readonly=True)
        (head,) = [head async for page in session.heads([1, 2, 3], named=False) for head in page]
        assert (head.uid, head.flags, head.gm_labels) == (1, frozenset(), frozenset())
        assert (head.email_id, head.gm_thread, head.internal_date) == (None, None, None)
        assert await fetched(session, [1, 2]) == {1: b"x"}
        assert await session.structure([1]) == {}
        assert await session.sections(1, ["HEADER"]) == {}


async def test_literals_are_understood_wherever_they_stand():
    async def script(peer: Peer) -> None:
        await peer.greets(LISTS)
        await peer.expects("LIST .*")
        await peer.says(
            b"* LIST (\\Sent) {1}\r\n/ {3}\r\na{5",
            b"* STATUS {3}\r\na{5 (MESSAGES {1}\r\n3 UIDNEXT 4)",
            b"* LIST ({5}\r\n\\Sent) {1}\r\n/ b",
            b'* LIST () "/" {0}\r\n',
            b"* STATUS b ()",
            b"* OK and {7}",
            b"{tag} OK done {3}".replace(b"{tag}", peer.tag.encode()),
        )
        await peer.expects('STATUS "" .*')
        await peer.says("{tag} NO what?")
        await peer.opens()
        await peer.expects("UID FETCH .*")
        await peer.says(
            b"* 1 FETCH (UID {1}\r\n1 FLAGS ({5}\r\n\\Seen \\Draft) RFC822.SIZE {1}\r\n4 "
            b"INTERNALDATE {26}\r\n17-Jul-1996 02:44:25 -0700 BODY[] ~{4}\r\n\0\r\n))",
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(script) as session:
        listed, counters = await session.survey()
        assert [one.raw_name for one in listed] == [b"a{5", b"b", b""]
        assert counters[b"a{5"].messages == 3
        await session.select("INBOX", readonly=True)
        (only,) = [each async for each in session.fetch([1])]
        assert (only.uid, only.raw, only.size) == (1, b"\0\r\n)", 4)
        assert only.flags == {"\\Draft"}
        assert only.internal_date is not None


async def test_mailboxes_that_nobody_could_open_are_left_out_and_their_neighbours_are_not():
    async def script(peer: Peer) -> None:
        await peer.greets(LISTS)
        await peer.expects("LIST .*")
        await peer.says(
            b'* LIST () "/" {3}\r\na\0b',
            b'* LIST () "/" "' + b"x" * 3_000 + b'"',
            b'* LIST () "/" {3}\r\n\r\n"',
            b'* LIST () "/" good',
            b"* STATUS good (MESSAGES 1)",
            "{tag} OK done",
        )
        await peer.expects(r"STATUS \{3\}")
        await peer.says("+ go ahead")
        assert await peer.literal(3) == b'\r\n"'
        assert (await peer.line()).startswith(b" (MESSAGES")
        await peer.says("{tag} NO what?")
        await peer.parts()

    async with talking_to(script) as session:
        listed, counters = await session.survey()
    assert [one.raw_name for one in listed] == [b'\r\n"', b"good"]
    assert set(counters) == {b"good"}


# -- sizes and structures that are wrong -----------------------------------------------------------


async def test_a_message_is_what_came_whatever_its_size_was_said_to_be():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        for uid, size in enumerate(("1", "999999999", "-1", "NIL", "x"), 1):
            raw = message(uid, uid, b"body").replace(
                b"RFC822.SIZE 4", b"RFC822.SIZE " + size.encode()
            )
            await peer.says(raw)
        await peer.says("{tag} OK done")
        await peer.expects("UID FETCH .*")
        await peer.says(
            '* 1 FETCH (UID 1 BODYSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 999999999999 1))',
            '* 2 FETCH (UID 2 BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL NIL NIL NIL)))',
            '* 3 FETCH (UID 3 BODYSTRUCTURE ("TEXT" (("PLAIN") NIL)))',
            '* 4 FETCH (UID 4 BODYSTRUCTURE "TEXT")',
            "* 5 FETCH (UID 5 BODYSTRUCTURE (((((((()))))))))",
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        came = [each async for each in session.fetch(range(1, 6))]
        assert [each.raw for each in came] == [b"body"] * 5
        assert [each.size for each in came] == [1, 999999999, 4, 4, 4]
        structures = await session.structure(range(1, 6))
        assert set(structures) == {1, 2, 3}
        assert structures[2].media_type == "multipart/mixed"


async def test_halves_of_messages_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.sync.imap.gathering.MAX_HALVES_BYTES", 1_000_000)

    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        for uid in range(1, 5):  # each without its flags
            await peer.says(
                b"* %d FETCH (UID %d BODY[] {300000}\r\n" % (uid, uid) + b"x" * 300_000 + b")"
            )
        for uid in range(1, 6):
            await peer.says(f"* {uid} FETCH (UID {uid} FLAGS ())")
        await peer.says(message(5, 5, b"five"), "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        # Who was forgotten did not come, and is asked for again by whoever missed it.
        assert set(await fetched(session, [1, 2, 3, 4, 5])) == {5}


# -- endings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (b"* 1 FETCH (UID 1 FLAGS () BODY[] {100}\r\nab* BYE [UNAVAILABLE] x\r\n", Disconnected),
        (b"* BYE [UNAVAILABLE] Server shutting down\r\n", Bye),
        (b"* BYE [UNAVAILABLE] Server shutting down\r\n* 1 FETCH (UID 1 BO", Bye),
        (b"* BYE\r\n", Bye),
        (b"* 1 FETCH (UID 1 FLAGS () BODY[] {100}\r\n", Disconnected),
        (b"\0\0\0\0", Disconnected),
    ],
)
async def test_an_end_in_the_middle_is_an_end_and_not_an_answer(end: bytes, error: type[ImapError]):
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.sends(message(2, 2, b"two") + b"\r\n" + end)

    with pytest.raises(error) as raised:
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            came: list[bytes] = []
            try:
                async for each in session.fetch([1, 2]):
                    came.append(each.raw)
            finally:
                assert came == [b"two"]
                assert session.lost
    assert isinstance(raised.value, Bye) == (error is Bye)


async def test_a_farewell_while_a_mailbox_is_opened_is_told():
    async def script(peer: Peer) -> None:
        await peer.greets()
        await peer.expects("EXAMINE .*")
        await peer.says("* 1 EXISTS", "* BYE [UNAVAILABLE] Too many connections")

    with pytest.raises(Bye, match="Too many") as raised:
        async with talking_to(script) as session:
            await session.select("INBOX", readonly=True)
    assert raised.value.code == "UNAVAILABLE"


async def test_one_byte_at_a_time_is_as_good_as_any():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        for byte in message(1, 1, b"one\r\n" * 20) + f"\r\n{peer.tag} OK done\r\n".encode():
            await peer.sends(bytes([byte]))
            await asyncio.sleep(0)
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert await fetched(session, [1]) == {1: b"one\r\n" * 20}


async def test_a_large_message_on_a_thin_line_is_waited_for():
    raw = b"x" * 40_960 * 2

    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        whole = message(1, 1, raw) + f"\r\n{peer.tag} OK done\r\n".encode()
        for at in range(0, len(whole), 4_096):
            await peer.sends(whole[at : at + 4_096])
            await asyncio.sleep(0.02)
        await peer.parts()

    patience = replace(QUICK, answer=0.2)
    async with talking_to(opened(more), timeouts=patience) as session:
        await session.select("INBOX", readonly=True)
        assert await fetched(session, [1]) == {1: raw}


async def test_small_talk_instead_of_an_answer_is_not_listened_to_for_ever():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        for number in range(10_000):
            await peer.says("* OK Still here", f"* {number} EXISTS", "+ and", "what?")
            await asyncio.sleep(0.02)

    with pytest.raises(Silent):
        async with asyncio.timeout(10):
            async with talking_to(opened(more), timeouts=replace(QUICK, answer=0.3)) as session:
                await session.select("INBOX", readonly=True)
                await session.noop()


async def test_a_slow_survey_with_progress_is_waited_for():
    async def script(peer: Peer) -> None:
        await peer.greets(LISTS)
        await peer.expects("LIST .*")
        for number in range(20):
            await peer.says(f'* LIST () "/" m{number}', f"* STATUS m{number} (MESSAGES 1)")
            await asyncio.sleep(0.05)
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(script, timeouts=replace(QUICK, answer=0.5)) as session:
        listed, counters = await session.survey()
    assert len(listed) == len(counters) == 20


# -- too much --------------------------------------------------------------------------------------


async def test_more_mailboxes_than_anybody_has_are_not_believed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.sync.imap.list.MAX_MAILBOXES", 100)

    async def script(peer: Peer) -> None:
        await peer.greets()
        await peer.expects("LIST .*")
        await peer.says(*(f'* LIST () "/" m{number}' for number in range(101)))
        await peer.reader.read()

    with pytest.raises(Garbled, match="more mailboxes"):
        async with talking_to(script) as session:
            await session.survey()


async def test_more_marks_than_anybody_has_are_not_believed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.sync.imap.flags.MAX_LISTED", 2_000)

    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.sends(b"* 1 FETCH (UID 1 FLAGS ())\r\n" * 2_001)
        await peer.reader.read()

    with pytest.raises(Garbled, match="more messages"):
        async with talking_to(opened(more)) as session:
            await session.select("INBOX", readonly=True)
            async with aclosing(session.flags(EVERY_UID)) as pages:
                async for _ in pages:
                    pass


async def test_long_news_become_one_word():
    long = ",".join(str(uid) for uid in range(1, 1_000_000, 5))

    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says(f"* VANISHED {long}", "* 2 EXISTS", "{tag} OK done")
        await peer.expects("NOOP")
        for number in range(100):
            await peer.says(f"* {number} FETCH (FLAGS ({'x' * 900_000}))")
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        await session.noop()
        assert session.take_news() == [Flood(), Exists(2)]
        await session.noop()
        news = session.take_news()
        assert news[0] == Flood()
        assert len(news) < 20


async def test_a_book_instead_of_a_reason_is_cut():
    async def more(peer: Peer) -> None:
        await peer.expects("NOOP")
        await peer.says("{tag} NO [LIMIT] " + "because " * 100_000)
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        with pytest.raises(ImapError) as raised:
            await session.noop()
    assert len(str(raised.value)) < 3_000


# -- anything at all -------------------------------------------------------------------------------

WORDS = [
    *(b"* ", b"+ ", b"OK ", b"NO ", b"BAD ", b"BYE ", b"FETCH ", b"EXISTS", b"EXPUNGE", b"LIST "),
    *(b"STATUS ", b"SEARCH ", b"ESEARCH ", b"VANISHED ", b"(EARLIER) ", b"UID ", b"FLAGS "),
    *(b"BODY[] ", b"BODYSTRUCTURE ", b"RFC822.SIZE ", b"MODSEQ ", b"ALL ", b"IDLE ", b"INBOX "),
    *(b"NIL", b"1", b"0", b"4294967296", b"-1", b"1:*", b"1:9,", b"(", b")", b"[", b"]", b'"'),
    *(
        b"{3}\r\n",
        b"{0}\r\n",
        b"~{1}\r\n",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\0",
        b"\xff",
        b"\\",
    ),
    *(
        b"[NOTIFICATIONOVERFLOW]",
        b"[CAPABILITY ",
        b"CAPABILITY ",
        b"[UIDVALIDITY 1] ",
        b"[CLOSED] ",
    ),
]


def babbler(seed: int) -> Script:
    """Answers anything, and sometimes what was asked."""
    chance = random.Random(seed)

    async def script(peer: Peer) -> None:
        offers = "IMAP4rev1 IDLE ENABLE QRESYNC CONDSTORE NOTIFY LIST-EXTENDED LIST-STATUS ESEARCH"
        await peer.greets(offers)
        while line := await peer.reader.readline():
            tag = line.split()[0]
            for _ in range(chance.randrange(6)):
                await peer.sends(b"".join(chance.choices(WORDS, k=chance.randrange(1, 25))))
                if chance.random() < 0.7:
                    await peer.sends(b"\r\n")
            if chance.random() < 0.9:
                await peer.says("", "* OK [UIDVALIDITY 7] ok", "* 3 EXISTS")
            end = chance.choice([b" OK x", b" OK", b" OK", b" OK", b" NO x"])
            await peer.sends(b"\r\n" + tag + end + b"\r\n")
            if chance.random() < 0.02:
                return

    return script


async def exhausted(stream: AsyncGenerator[object]) -> None:
    async with aclosing(stream):
        async for _ in stream:
            pass


async def everything(session: Session) -> None:
    questions: list[Callable[[], Awaitable[object]]] = [
        session.enable,
        session.notify,
        session.survey,
        lambda: session.select("INBOX", readonly=True),
        lambda: session.uids(EVERY_UID),
        lambda: exhausted(session.flags(EVERY_UID)),
        lambda: exhausted(session.changes(1)),
        lambda: exhausted(session.heads([1, 2, 3], named=True)),
        lambda: exhausted(session.fetch([1, 2, 3])),
        lambda: session.structure([1, 2]),
        lambda: session.sections(1, ["HEADER", "1"]),
        lambda: session.beginning(1, 100),
        lambda: exhausted(session.slices(1, "2")),
        lambda: session.search_message_id("<a@b>"),
        lambda: session.idle(0.01),
    ]
    for question in questions:
        with suppress(Refused):
            await question()
    session.take_news()


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_is_babbled_ends_in_an_error_that_has_a_name(seed: int):
    timeouts = Timeouts(connect=2.0, silence=0.3, answer=1.0)
    async with asyncio.timeout(60), listening(babbler(seed)) as port:
        endpoint = Endpoint(host="127.0.0.1", port=port, security=Security.NONE)
        for _ in range(5):
            try:
                async with connect(
                    endpoint, dial=dial, timeouts=timeouts, limits=Limits(line_bytes=100_000)
                ) as session:
                    await session.login("ada", "secret")
                    await everything(session)
            except ImapError:
                continue

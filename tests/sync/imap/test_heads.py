from datetime import UTC, datetime

import pytest

from services.sync.imap import Head, Marked, Session, Unavailable
from tests.sync.imap.scripted import Peer, message, opened, talking_to

GMAIL = "IMAP4rev1 X-GM-EXT-1"


async def all_heads(session: Session, uids: list[int], *, named: bool = False) -> dict[int, Head]:
    pages = session.heads(uids, named=named)
    return {head.uid: head async for page in pages for head in page}


async def test_messages_are_known_before_they_are_fetched():
    async def more(peer: Peer) -> None:
        await peer.expects(r"UID FETCH 1:3,9 \(UID FLAGS RFC822.SIZE INTERNALDATE\)")
        await peer.says(
            "* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 44 "
            'INTERNALDATE "17-Jul-1996 02:44:25 -0700")',
            "* 2 FETCH (UID 2 FLAGS ())",  # the rest comes later
            "* 3 FETCH (RFC822.SIZE 1 FLAGS () UID 3 INTERNALDATE NIL)",
            "* 2 FETCH (UID 2 RFC822.SIZE 45 INTERNALDATE NIL)",
            "* 3 FETCH (UID 3 FLAGS (\\Deleted))",
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        found = await all_heads(session, [1, 2, 3, 9])
        assert session.take_news() == [Marked(3, 3, frozenset({"\\Deleted"}), None)]
    assert set(found) == {1, 2, 3}
    assert found[1] == Head(
        uid=1,
        flags=frozenset({"\\Seen"}),
        size=44,
        internal_date=datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC),
        modseq=None,
        email_id=None,
        gm_thread=None,
        gm_labels=None,
        fields=None,
    )
    assert (found[2].size, found[2].flags, found[2].internal_date) == (45, frozenset(), None)


async def test_a_message_is_known_by_name_where_the_server_has_names():
    async def more(peer: Peer) -> None:
        await peer.expects("EXAMINE .*")
        await peer.says("* OK [UIDVALIDITY 1] ok", "* OK [HIGHESTMODSEQ 9] ok", "{tag} OK done")
        await peer.expects(
            r"UID FETCH 1:3 \(UID FLAGS RFC822.SIZE INTERNALDATE MODSEQ EMAILID "
            r"BODY.PEEK\[HEADER.FIELDS \(MESSAGE-ID DATE FROM SUBJECT\)\]\)"
        )
        await peer.says(
            "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 4 INTERNALDATE NIL MODSEQ (7) EMAILID (M6d) "
            "BODY[HEADER.FIELDS (Message-ID Date From Subject)] {13}",
            "Subject: hi\r\n)",
            "* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 4 EMAILID NIL "
            "BODY[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)] NIL)",
            "* 3 FETCH (UID 3 FLAGS () RFC822.SIZE 4)",  # and its header never
            "{tag} OK done",
        )
        await peer.parts()

    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 OBJECTID CONDSTORE")
        await more(peer)

    async with talking_to(script) as session:
        await session.select("INBOX", readonly=True)
        found = await all_heads(session, [1, 2, 3], named=True)
    assert set(found) == {1, 2}
    assert (found[1].email_id, found[1].modseq) == ("M6d", 7)
    assert found[1].fields == b"Subject: hi\r\n"
    assert (found[2].email_id, found[2].fields) == (None, None)


async def test_gmails_names_threads_and_labels_are_told():
    async def more(peer: Peer) -> None:
        await peer.expects(r"UID FETCH 1:2 \(.* X-GM-MSGID X-GM-THRID X-GM-LABELS\)")
        await peer.says(
            "* 1 FETCH (X-GM-THRID 1278455344230334866 X-GM-MSGID 1278455344230334865 X-GM-LABELS "
            '("\\\\Inbox" "\\\\Sent" Important "Entw&APw-rfe" "a \\"b\\"") '
            "UID 1 RFC822.SIZE 3 FLAGS ())",
            "* 2 FETCH (X-GM-LABELS () UID 2 RFC822.SIZE 3 FLAGS () X-GM-MSGID NIL)",
            "{tag} OK done",
        )
        await peer.expects(
            r"UID FETCH 2 \(UID FLAGS INTERNALDATE RFC822.SIZE X-GM-MSGID X-GM-THRID X-GM-LABELS "
            r"BODY.PEEK\[\]\)"
        )
        whole = message(2, 2, b"two").replace(
            b"(UID", b"(X-GM-THRID 8 X-GM-MSGID 7 X-GM-LABELS (\\Starred) UID"
        )
        await peer.says(whole, "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more, capabilities=GMAIL)) as session:
        await session.select("INBOX", readonly=True)
        found = await all_heads(session, [1, 2])
        (fetched,) = [each async for each in session.fetch([2])]
    assert found[1].email_id == "gm:1278455344230334865"
    assert found[1].gm_thread == "1278455344230334866"
    assert found[1].gm_labels == {"\\Inbox", "\\Sent", "Important", "Entwürfe", 'a "b"'}
    assert (found[2].email_id, found[2].gm_labels) == (None, frozenset())
    assert (fetched.email_id, fetched.gm_thread) == ("gm:7", "8")
    assert (fetched.gm_labels, fetched.raw) == ({"\\Starred"}, b"two")


async def test_thousands_are_asked_for_in_commands_that_follow_one_another_at_once():
    async def more(peer: Peer) -> None:
        tags: list[str] = []
        for first in range(1, 2_001, 500):
            await peer.expects(rf"UID FETCH {first}:{first + 499} .*")
            tags.append(peer.tag)
        for number, tag in enumerate(tags):
            first = 1 + 500 * number
            lines = b"".join(
                b"* %d FETCH (UID %d FLAGS () RFC822.SIZE 9)\r\n" % (uid, uid)
                for uid in range(first, first + 500)
            )
            await peer.sends(lines)
            await peer.says(f"{tag} OK done")
            if number == 0:  # the fifth command leaves while three are still owed an answer
                await peer.expects("UID FETCH 2001:2100 .*")
                last = peer.tag
        await peer.says(f"{last} OK none of them is there any more")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        pages = [page async for page in session.heads(range(1, 2_101), named=False)]
    assert [len(page) for page in pages] == [500] * 4


async def test_heads_that_are_refused_are_not_messages_that_are_gone():
    async def more(peer: Peer) -> None:
        await peer.expects("UID FETCH .*")
        await peer.says("* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9)", "{tag} NO [LIMIT] too much")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        with pytest.raises(Unavailable, match="too much"):
            await all_heads(session, [1, 2])

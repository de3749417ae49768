import pytest

from services.sync.imap import Garbled, Refused, StatusOf, Unavailable
from shared.contracts.mail import MailboxRole
from tests.sync.imap.scripted import Peer, talking_to

EXTENDED = "IMAP4rev1 LIST-EXTENDED SPECIAL-USE LIST-STATUS CONDSTORE OBJECTID"
COUNTERS = r"\(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ\)"


async def test_a_server_that_can_tells_all_of_all_mailboxes_at_once():
    async def script(peer: Peer) -> None:
        await peer.greets(EXTENDED)
        await peer.expects(
            rf'LIST "" "\*" RETURN \(SPECIAL-USE SUBSCRIBED CHILDREN STATUS {COUNTERS}\)'
        )
        await peer.says(
            '* LIST (\\hasnochildren) "/" INBOX',
            "* STATUS inbox (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 HIGHESTMODSEQ 12)",
            '* LIST (\\sent \\Subscribed) "/" "Sent"',
            "* STATUS Sent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 8)",
            '* LIST (\\NoSelect) "/" "folder"',
            '* LIST (\\Subscribed) "/" "shy"',
            '* LIST (\\trash) "/" "Sent"',
            "* STATUS elsewhere (MESSAGES 1)",
            "{tag} OK done",
        )
        await peer.expects(f'STATUS "shy" {COUNTERS}')
        await peer.says("{tag} NO no counters for you")
        await peer.parts()

    async with talking_to(script) as session:
        listed, counters = await session.survey()
    assert [(one.path, one.role, one.subscribed, one.selectable) for one in listed] == [
        ("INBOX", MailboxRole.INBOX, False, True),
        ("Sent", MailboxRole.SENT, True, True),
        ("folder", None, False, False),
        ("shy", None, True, True),
    ]
    assert counters == {
        b"INBOX": StatusOf(messages=3, uidnext=9, uidvalidity=7, highestmodseq=12),
        b"Sent": StatusOf(messages=1, uidnext=2, uidvalidity=8, highestmodseq=None),
    }


async def test_a_server_that_knows_little_is_asked_in_three_round_trips():
    async def script(peer: Peer) -> None:
        await peer.greets()
        await peer.expects(r'LIST "" "\*"')
        lists = peer.tag
        await peer.expects(r'LSUB "" "\*"')
        await peer.says(
            '* LIST (\\HasChildren) "." INBOX',
            '* LIST (\\HasNoChildren) "." INBOX.Sent',
            '* LIST (\\Noselect) "." INBOX.none',
            f"{lists} OK LIST completed",
            '* LSUB () "." INBOX.Sent',
            '* LSUB () "." INBOX.long-gone',
            "{tag} OK LSUB completed",
        )
        tags: list[str] = []
        for name in ("INBOX", "INBOX.Sent"):
            await peer.expects(f'STATUS "{name}" \\(MESSAGES UIDNEXT UIDVALIDITY\\)')
            tags.append(peer.tag)
        for name, tag in zip(("INBOX", "INBOX.Sent"), tags, strict=True):
            await peer.says(f"* STATUS {name} (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)", f"{tag} OK")
        await peer.parts()

    async with talking_to(script) as session:
        listed, counters = await session.survey()
    assert [(one.path, one.subscribed) for one in listed] == [
        ("INBOX", False),
        ("INBOX.Sent", True),
        ("INBOX.none", False),
    ]
    assert set(counters) == {b"INBOX", b"INBOX.Sent"}


async def test_where_subscriptions_are_not_known_every_mailbox_counts_as_subscribed():
    async def script(peer: Peer) -> None:
        await peer.greets()
        await peer.expects("LIST .*")
        lists = peer.tag
        await peer.expects("LSUB .*")
        await peer.says('* LIST () "/" INBOX', f"{lists} OK done", "{tag} BAD what?")
        await peer.parts()

    async with talking_to(script) as session:
        assert [one.subscribed for one in await session.list_mailboxes()] == [True]


@pytest.mark.parametrize("says", ["NO Error in IMAP command LIST", "BAD what?"])
async def test_a_server_that_offers_more_than_it_understands_is_asked_plainly(says: str):
    async def script(peer: Peer) -> None:
        await peer.greets(EXTENDED)
        await peer.expects("LIST .* RETURN .*")
        await peer.says(f"{{tag}} {says}")
        await peer.expects(r'LIST "" "\*"')
        await peer.says('* LIST (\\Sent) "/" Sent', "{tag} OK done")
        await peer.expects("LSUB .*")
        await peer.says("{tag} OK done")
        await peer.expects('STATUS "Sent" .*')
        await peer.says('* STATUS "Sent" (MESSAGES 4)', "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        (sent,), counters = await session.survey()
    assert (sent.role, counters[b"Sent"].messages) == (MailboxRole.SENT, 4)


async def test_a_listing_that_is_refused_is_not_an_empty_account():
    async def script(peer: Peer) -> None:
        await peer.greets()
        await peer.expects("LIST .*")
        lists = peer.tag
        await peer.expects("LSUB .*")
        await peer.says(f"{lists} NO not today", "{tag} OK done")
        await peer.expects("LIST .*")
        lists = peer.tag
        await peer.expects("LSUB .*")
        await peer.says(f"{lists} NO [UNAVAILABLE] busy", "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        with pytest.raises(Refused, match="not today"):
            await session.survey()
        with pytest.raises(Unavailable, match="busy"):
            await session.survey()


async def test_a_listing_that_cannot_be_read_is_not_a_listing():
    async def script(peer: Peer) -> None:
        await peer.greets(EXTENDED)
        await peer.expects("LIST .*")
        await peer.says("* LIST what", "{tag} OK done")
        await peer.reader.read()

    with pytest.raises(Garbled):
        async with talking_to(script) as session:
            await session.survey()


async def test_counters_that_change_while_they_are_told_are_the_latest():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 NOTIFY LIST-EXTENDED LIST-STATUS")
        await peer.expects("NOTIFY .*")
        await peer.says("{tag} OK done")
        await peer.expects("LIST .*")
        await peer.says(
            '* LIST () "/" a',
            "* STATUS a (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)",
            "* STATUS a (MESSAGES 2 UIDNEXT 3)",  # a notification: it tells only what changed
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(script) as session:
        assert await session.notify()
        _, counters = await session.survey()
    assert counters[b"a"] == StatusOf(messages=2, uidnext=3, uidvalidity=3, highestmodseq=None)


async def test_counters_that_cannot_be_read_are_asked_for_once_more():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 LIST-EXTENDED LIST-STATUS")
        await peer.expects("LIST .*")
        await peer.says('* LIST () "/" a', "* STATUS a (MESSAGES 1", "{tag} OK done")
        await peer.expects('STATUS "a" .*')
        await peer.says("* STATUS a (MESSAGES 1)", "{tag} OK done")
        await peer.expects('STATUS "a" .*')
        await peer.says('* STATUS a (MESSAGES "1)', "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        _, counters = await session.survey()
        assert counters[b"a"].messages == 1
        assert await session.status(["a"]) == {}

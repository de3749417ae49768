import pytest

from services.sync.imap import (
    Garbled,
    NoSuchMailbox,
)
from shared.contracts.mail import MailboxRole
from tests.sync.imap.scripted import Peer, talking_to


async def test_mailboxes_are_listed_each_once_with_names_people_can_read():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 LIST-EXTENDED SPECIAL-USE")
        await peer.expects(r'LIST "" "\*" RETURN \(SPECIAL-USE SUBSCRIBED CHILDREN\)')
        await peer.says(
            '* LIST (\\HasNoChildren) "/" inbox',
            '* LIST (\\Sent \\Subscribed) "/" "Gesendete Entw&APw-rfe"',
            b'* LIST (\\Noselect) "." {4}\r\na"&b',
            "* LIST () NIL R&D",
            '* LIST (\\HasNoChildren) "/" INBOX',
            "{tag} OK done",
        )
        await peer.parts()

    async with talking_to(script) as session:
        inbox, sent, strange, flat = await session.list_mailboxes()
    assert (inbox.path, inbox.role) == ("INBOX", MailboxRole.INBOX)
    assert (sent.path, sent.raw_name) == ("Gesendete Entwürfe", b"Gesendete Entw&APw-rfe")
    assert (sent.role, "\\subscribed" in sent.flags) == (MailboxRole.SENT, True)
    assert (strange.path, strange.delimiter, strange.selectable) == ('a"&b', ".", False)
    assert (flat.path, flat.delimiter, flat.role) == ("R&D", None, None)


async def test_a_server_that_offers_more_than_it_understands_still_lists():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 LIST-EXTENDED SPECIAL-USE")
        await peer.expects(r'LIST "" "\*" RETURN .*')
        await peer.says("{tag} BAD what?")
        await peer.expects(r'LIST "" "\*"')
        await peer.says('* LIST () "/" INBOX', "{tag} OK done")
        await peer.expects(r'LSUB "" "\*"')
        await peer.says('* LSUB () "/" INBOX', "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        assert [m.path for m in await session.list_mailboxes()] == ["INBOX"]


async def test_a_mailbox_is_opened_and_what_it_announces_is_known():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 CONDSTORE")
        await peer.expects(r'EXAMINE "Entw&APw-rfe" \(CONDSTORE\)')
        await peer.says(
            "* FLAGS (\\Seen $Junk)",
            "* OK [PERMANENTFLAGS (\\Seen \\*)] limited",
            "* 172 EXISTS",
            "* 1 RECENT",
            "* OK [UNSEEN 12] first",
            "* OK [UIDVALIDITY 3857529045] valid",
            "* OK [UIDNEXT 4392] next",
            "* OK [HIGHESTMODSEQ 715194045007] mods",
            "* OK [MAILBOXID (F2212ea87-6097)] id",
            "{tag} OK [READ-ONLY] done",
        )
        await peer.expects('SELECT "gone" \\(CONDSTORE\\)')
        await peer.says("{tag} NO [NONEXISTENT] no such mailbox")
        await peer.parts()

    async with talking_to(script) as session:
        selected = await session.select("Entwürfe", readonly=True)
        assert selected.uidvalidity == 3857529045
        assert (selected.uidnext, selected.exists) == (4392, 172)
        assert selected.highestmodseq == 715194045007
        assert selected.permanent_flags == {"\\Seen", "\\*"}
        assert selected.readonly
        assert selected.mailbox_id == "F2212ea87-6097"
        with pytest.raises(NoSuchMailbox):
            await session.select("gone", readonly=False)
        assert session.selected is None


async def test_a_server_that_announces_little_is_enough():
    async def script(peer: Peer) -> None:
        await peer.greets()
        await peer.expects('SELECT "INBOX"')
        await peer.says("* 0 EXISTS", "* OK [UIDVALIDITY 1] ok", "{tag} OK done")
        await peer.expects('SELECT "b"')
        await peer.says("* 0 EXISTS", "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        selected = await session.select("inbox", readonly=False)
        assert (selected.uidnext, selected.highestmodseq, selected.readonly) == (None, None, False)
        with pytest.raises(Garbled, match="UIDVALIDITY"):
            await session.select("b", readonly=False)


async def test_counters_are_asked_for_together_and_what_is_gone_is_left_out():
    async def script(peer: Peer) -> None:
        await peer.greets()
        for name in ("INBOX", "gone", "a b"):
            await peer.expects(f'STATUS "{name}" \\(MESSAGES UIDNEXT UIDVALIDITY\\)')
            if name == "gone":
                await peer.says("{tag} NO no such mailbox")
            else:
                raw = f'"{name}"' if " " in name else name.lower()
                await peer.says(f"* STATUS {raw} (UIDNEXT 5 MESSAGES 2 X NIL)", "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        told = await session.status(["INBOX", b"gone", "a b"])
    assert set(told) == {"INBOX", "a b"}
    assert (told["a b"].uidnext, told["a b"].messages, told["a b"].uidvalidity) == (5, 2, None)

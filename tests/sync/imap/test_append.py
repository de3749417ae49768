from datetime import UTC, datetime

import pytest

from services.sync.imap import (
    Appended,
    NoSuchMailbox,
)
from tests.sync.imap.scripted import Peer, talking_to

RAW = b"Subject: {5}\r\n\r\nbody)\r\nA1 LOGOUT\r\n"


@pytest.mark.parametrize("offers", ["", "LITERAL+", "LITERAL-"])
async def test_a_message_is_filed_and_where_it_went_is_known(offers: str):
    async def script(peer: Peer) -> None:
        await peer.greets(f"IMAP4rev1 {offers}")
        sign = r"\+" if offers else ""
        await peer.expects(
            rf'APPEND "Sent" \(\\Seen\) "01-Feb-2024 03:04:05 \+0000" \{{{len(RAW)}{sign}\}}'
        )
        if not offers:
            await peer.says("+ go on")
        assert await peer.literal(len(RAW)) == RAW
        assert await peer.line() == b""
        await peer.says("* 5 EXISTS", "{tag} OK [APPENDUID 38505 3955] filed")
        await peer.parts()

    async with talking_to(script) as session:
        when = datetime(2024, 2, 1, 3, 4, 5, tzinfo=UTC)
        filed = await session.append("Sent", RAW, flags=["\\Seen"], date=when)
    assert filed == Appended(uidvalidity=38505, uid=3955)


async def test_literal_minus_is_not_taken_for_more_than_it_allows():
    raw = b"x" * 4097

    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 LITERAL-")
        await peer.expects(r'APPEND "Sent" \(\) \{4097\}')
        await peer.says("+")
        assert await peer.literal(4097) == raw
        assert await peer.line() == b""
        await peer.says("{tag} OK filed")
        await peer.parts()

    async with talking_to(script) as session:
        assert await session.append("Sent", raw) is None


async def test_a_mailbox_that_is_not_there_takes_no_message():
    async def script(peer: Peer) -> None:
        await peer.greets()
        await peer.expects('APPEND "Sent" .*')
        await peer.says("{tag} NO [TRYCREATE] create it first")
        await peer.parts()

    async with talking_to(script) as session:
        with pytest.raises(NoSuchMailbox):
            await session.append("Sent", RAW)


async def test_an_introduction_is_answered():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 ID")
        await peer.expects(r'ID \("name" "Postbus"\)')
        await peer.says('* ID ("name" "Cyrus" "version" NIL "os" "Linux")', "{tag} OK")
        await peer.parts()

    async with talking_to(script) as session:
        assert await session.id({"name": "Postbus"}) == {"name": "Cyrus", "os": "Linux"}

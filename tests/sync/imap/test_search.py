# ruff: noqa: PT012 - what is raised must also pass through the session that is open

import tracemalloc
from array import array

import pytest

from services.sync.domain.covered import EVERY_UID, Span
from services.sync.imap import (
    Exists,
    Garbled,
    Timeouts,
)
from tests.sync.imap import scripted
from tests.sync.imap.scripted import Peer, opened, talking_to


@pytest.mark.parametrize(
    ("offers", "command", "says"),
    [
        ("", "UID SEARCH UID 2:9", ["* SEARCH 5 3", "* SEARCH 12"]),
        ("CONDSTORE", "UID SEARCH UID 2:9", ["* SEARCH 3 5 (MODSEQ 917162500)"]),
        ("ESEARCH", r"UID SEARCH RETURN \(ALL\) UID 2:9", ['* ESEARCH (TAG "x") UID ALL 3,5']),
    ],
)
async def test_what_exists_is_listed_in_order(offers: str, command: str, says: list[str]):
    async def more(peer: Peer) -> None:
        await peer.expects(command)
        await peer.says("* 4 EXISTS", *says, "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more, capabilities=f"IMAP4rev1 {offers}")) as session:
        await session.select("INBOX", readonly=True)
        assert await session.uids(Span(2, 9)) == array("I", [3, 5])
        assert session.take_news() == [Exists(4)]


async def test_an_empty_listing_is_only_believed_when_the_server_says_it():
    async def more(peer: Peer) -> None:
        await peer.expects(r"UID SEARCH UID 1:\*")
        await peer.says("{tag} OK done")
        await peer.expects(r"UID FETCH 1:\* \(UID\)")
        await peer.says("* 1 FETCH (UID 8)", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert await session.uids(EVERY_UID) == array("I", [8])


@pytest.mark.parametrize(
    "says",
    [
        "* SEARCH 1 x",
        "* SEARCH 0 1",
        "* SEARCH 4294967296",
        "* SEARCH " + "9" * 5_000,
        "* SEARCH {2}\r\n12",
        "* ESEARCH (TAG 1) UID ALL 1:4294967295",
        "* ESEARCH (TAG 1) UID ALL 0",
        "* ESEARCH (TAG 1) UID ALL 1:*",
        "* ESEARCH (TAG 1) UID ALL 1,,2",
        "* ESEARCH (TAG 1) UID ALL 4294967296",
    ],
)
async def test_a_listing_that_cannot_be_is_no_listing(says: str):
    async def more(peer: Peer) -> None:
        await peer.expects("UID SEARCH .*")
        await peer.says(says, "{tag} OK done")
        await peer.reader.read()

    with pytest.raises(Garbled):
        async with talking_to(opened(more, capabilities="IMAP4rev1 ESEARCH")) as session:
            await session.select("INBOX", readonly=True)
            await session.uids(EVERY_UID)


async def test_a_message_id_is_found_whatever_is_in_it_and_only_when_it_is_the_same():
    async def more(peer: Peer) -> None:
        await peer.expects(r'UID SEARCH HEADER Message-ID "a\\"b@x"')
        await peer.says("* SEARCH 4 5 6", "{tag} OK done")
        await peer.expects(r"UID FETCH 4:6 \(UID BODY.PEEK\[HEADER.FIELDS \(MESSAGE-ID\)\]\)")
        fields = {4: 'Message-ID:\r\n <a"b@x>', 5: 'Message-id: <aa"b@x>', 6: 'MESSAGE-ID: a"b@x'}
        for uid, field in fields.items():
            await peer.says(
                f"* {uid} FETCH (UID {uid} BODY[HEADER.FIELDS (Message-ID)] {{{len(field)}}}",
                f"{field})",
            )
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more)) as session:
        await session.select("INBOX", readonly=True)
        assert await session.search_message_id('<a"b@x>') == [4, 6]


@pytest.mark.parametrize("count", [50_000, pytest.param(1_000_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("shape", ["numbers", "spans"])
async def test_a_million_messages_are_listed_in_little_memory(
    count: int, shape: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scripted, "PATIENCE", 120)
    first = 3_000_000
    if shape == "numbers":
        offers, expected = "IMAP4rev1", array("I", range(first, first + count))
        line = b"* SEARCH " + " ".join(map(str, expected)).encode()
    else:
        offers, starts = "IMAP4rev1 ESEARCH", range(first, first + 3 * count // 2, 3)
        expected = array("I", [uid for start in starts for uid in (start, start + 1)])
        line = ",".join(f"{start}:{start + 1}" for start in starts).encode()
        line = b'* ESEARCH (TAG "x") UID ALL ' + line

    async def more(peer: Peer) -> None:
        await peer.expects("UID SEARCH .*")
        for at in range(0, len(line), 65_536):
            await peer.sends(line[at : at + 65_536])
        await peer.says("", "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more, capabilities=offers), timeouts=Timeouts()) as session:
        await session.select("INBOX", readonly=True)
        tracemalloc.start()
        try:
            found = await session.uids(EVERY_UID)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found == expected
    assert peak < 2_000_000 + 28 * count


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("* SEARCH 9 5 5 7 9", [5, 7, 9]),
        ("* SEARCH  5  7 ", [5, 7]),
        ("* SEARCH", []),
        ("* ESEARCH", []),
        ("* ESEARCH UID", []),
        ("* ESEARCH (TAG 1) UID COUNT 0", []),
        ("* ESEARCH (TAG 1) UID MIN 5 all 9:7,5,8:9 MODSEQ 4", [5, 7, 8, 9]),
        ("* ESEARCH (TAG 1) UID ALL 4294967295", [4294967295]),
    ],
)
async def test_a_listing_is_in_order_however_it_is_told(says: str, expected: list[int]):
    async def more(peer: Peer) -> None:
        await peer.expects("UID SEARCH .*")
        await peer.says(says, "{tag} OK done")
        await peer.parts()

    async with talking_to(opened(more, capabilities="IMAP4rev1 ESEARCH")) as session:
        await session.select("INBOX", readonly=True)
        assert await session.uids(EVERY_UID) == array("I", expected)

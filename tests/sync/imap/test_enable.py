import re

import pytest
import uvloop

from services.sync.imap import Elsewhere
from tests.sync.imap.scripted import Peer, talking_to


@pytest.mark.parametrize(
    ("offers", "asked", "agreed", "enabled"),
    [
        (
            "ENABLE CONDSTORE QRESYNC UTF8=ACCEPT",
            "QRESYNC UTF8=ACCEPT",
            ["* ENABLED QRESYNC", "* ENABLED utf8=accept"],
            {"QRESYNC", "CONDSTORE", "UTF8=ACCEPT"},
        ),
        ("ENABLE CONDSTORE", "CONDSTORE", ["* ENABLED CONDSTORE"], {"CONDSTORE"}),
        ("IMAP4rev2 QRESYNC", "QRESYNC IMAP4REV2", ["* ENABLED"], set[str]()),
    ],
)
async def test_what_is_offered_is_asked_for_and_only_what_is_agreed_counts(
    offers: str, asked: str, agreed: list[str], enabled: set[str]
):
    async def script(peer: Peer) -> None:
        await peer.greets(f"IMAP4rev1 {offers}")
        await peer.expects(f"ENABLE {asked}")
        await peer.says(*agreed, "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        assert session.enabled == set()
        assert await session.enable() == enabled
        assert session.enabled == enabled
        assert session.round_trip > 0


async def test_a_server_without_extensions_is_asked_for_none():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 QRESYNC UTF8=ACCEPT")  # but no ENABLE
        await peer.parts()

    async with talking_to(script) as session:
        assert await session.enable() == set()
        assert not await session.compress()
        assert not await session.notify()


async def test_a_server_that_refuses_to_agree_is_spoken_to_plainly():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 ENABLE QRESYNC")
        await peer.expects("ENABLE QRESYNC")
        await peer.says("{tag} BAD what?")
        await peer.expects(r'STATUS "Entw&APw-rfe" .*')
        await peer.says("{tag} NO gone")
        await peer.parts()

    async with talking_to(script) as session:
        assert await session.enable() == set()
        assert await session.status(["Entwürfe"]) == {}


@pytest.mark.parametrize(
    ("offers", "asked"),
    [("IMAP4rev1 ENABLE UTF8=ACCEPT", "UTF8=ACCEPT"), ("IMAP4rev1 IMAP4rev2", "IMAP4REV2")],
)
async def test_a_mailbox_keeps_its_name_when_names_travel_as_utf8(offers: str, asked: str):
    async def script(peer: Peer) -> None:
        await peer.greets(offers)
        await peer.expects(f"ENABLE {asked}")
        await peer.says(f"* ENABLED {asked}", "{tag} OK done")
        await peer.expects("LIST .*")
        await peer.says(
            '* LIST () "/" "Entwürfe"',
            '* LIST () "/" "R&D"',
            b'* LIST () "/" {3}\r\n\xe6\x97\xa5',
            b'* LIST () "/" "\xff"',
            "{tag} OK done",
        )
        if "rev2" not in offers:
            await peer.expects("LSUB .*")
            await peer.says("{tag} OK done")
        await peer.expects('EXAMINE "Entwürfe"')
        await peer.says("* 0 EXISTS", "* OK [UIDVALIDITY 1] ok", '* LIST () "/" "Entwürfe"')
        await peer.says("{tag} OK done")
        for name in ("Entwürfe", 'a"ü', "R&D"):
            escaped = name.replace('"', '\\"')
            await peer.expects(f'STATUS "{re.escape(escaped)}" .*')
            await peer.says(f'* STATUS "{escaped}" (UIDNEXT 9)', "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await session.enable()
        listed = await session.list_mailboxes()
        assert [each.path for each in listed] == ["Entwürfe", "R&D", "日", "\ufffd"]
        # The name we keep is the same as on a connection where this was not agreed.
        assert [each.raw_name for each in listed] == [
            b"Entw&APw-rfe",
            b"R&-D",
            b"&ZeU-",
            b"\xff",
        ]
        await session.select(listed[0].raw_name, readonly=True)
        told = await session.status([listed[0].raw_name, 'a"ü', b"R&-D"])
        assert [counters.uidnext for counters in told.values()] == [9, 9, 9]


async def test_a_header_in_utf8_is_filed_as_such():
    header = "Subject: grüße\r\n\r\n".encode()

    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 ENABLE UTF8=ACCEPT LITERAL+")
        await peer.expects("ENABLE UTF8=ACCEPT")
        await peer.says("* ENABLED UTF8=ACCEPT", "{tag} OK done")
        await peer.expects(rf'APPEND "Sent" \(\) UTF8 \(~\{{{len(header)}\+\}}')
        assert await peer.literal(len(header) + 3) == header + b")\r\n"
        await peer.says("{tag} OK done")
        await peer.expects(r'APPEND "Sent" \(\) \{18\+\}')
        assert await peer.literal(20) == b"Subject: a\r\n\r\n\xc3\xbc\r\n\r\n"
        await peer.says("{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await session.enable()
        await session.append("Sent", header)
        await session.append("Sent", b"Subject: a\r\n\r\n\xc3\xbc\r\n")


async def test_names_of_mailboxes_elsewhere_are_kept_in_the_same_spelling():
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1 IMAP4rev2 NOTIFY")
        await peer.expects("ENABLE IMAP4REV2")
        await peer.says("* ENABLED IMAP4rev2", "{tag} OK done")
        await peer.expects("NOTIFY SET .*")
        await peer.says('* LIST () "/" "Entwürfe"', "{tag} OK done")
        await peer.parts()

    async with talking_to(script) as session:
        await session.enable()
        assert await session.notify()
        assert session.take_news() == [Elsewhere(b"Entw&APw-rfe", None)]


def test_a_round_trip_is_measured_on_the_loop_that_sync_runs_on() -> None:
    async def script(peer: Peer) -> None:
        await peer.greets("IMAP4rev1")
        await peer.expects("NOOP")
        await peer.says("{tag} OK done")
        await peer.parts()

    async def ask() -> float:
        async with talking_to(script) as session:
            await session.noop()
            return session.round_trip

    # Its clock moves by milliseconds, and what takes none is not far from nowhere.
    assert uvloop.run(ask()) > 0

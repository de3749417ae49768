import asyncio

import pytest

from services.sync.imap import (
    Bye,
    Endpoint,
    Garbled,
    Insecure,
    Unreachable,
    connect,
)
from shared.contracts.account import Security
from tests.sync.imap.scripted import QUICK, Peer, dial, listening, talking_to


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b"* BYE [UNAVAILABLE] Too many connections from your network", Bye),
        (b"220 mail.example.org ESMTP", Garbled),
        (b"", Unreachable),
    ],
)
async def test_a_server_that_does_not_greet_is_not_talked_to(greeting: bytes, error: type):
    async def script(peer: Peer) -> None:
        if greeting:
            await peer.says(greeting)

    with pytest.raises(error) as raised:
        async with talking_to(script):
            pass
    if error is Bye:
        assert raised.value.said == "Too many connections from your network"
        assert raised.value.code == "UNAVAILABLE"


async def test_a_server_that_says_nothing_is_unreachable_in_time():
    async def script(peer: Peer) -> None:
        await peer.reader.read()

    with pytest.raises(Unreachable, match="greet"):
        async with talking_to(script):
            pass


async def test_nobody_listening_is_unreachable():
    async with listening(lambda peer: asyncio.sleep(0)) as port:
        pass
    with pytest.raises(Unreachable):
        async with connect(
            Endpoint(host="127.0.0.1", port=port, security=Security.NONE), dial=dial, timeouts=QUICK
        ):
            pass


async def test_tls_with_a_server_that_speaks_none_is_unreachable():
    async def script(peer: Peer) -> None:
        await peer.says("* OK ready")
        await peer.reader.read()

    async with listening(script) as port:
        with pytest.raises(Unreachable, match="TLS"):
            async with connect(
                Endpoint(host="127.0.0.1", port=port, security=Security.TLS),
                dial=dial,
                timeouts=QUICK,
            ):
                pass


@pytest.mark.parametrize(
    ("says", "error"),
    [
        (["* OK [CAPABILITY IMAP4rev1] ready"], Insecure),
        (["* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome"], Insecure),
        (["* OK [CAPABILITY STARTTLS] ready", "{tag} NO not today"], Insecure),
        (["* OK [CAPABILITY STARTTLS] ready", "{tag} OK go\r\n* OK injected"], Garbled),
        (["* OK [CAPABILITY STARTTLS] ready", "{tag} OK go\r\n* half"], Garbled),
        (["* OK [CAPABILITY STARTTLS] ready", "{tag} OK go\r\n"], Unreachable),
    ],
)
async def test_no_password_is_sent_where_encryption_was_asked_for_and_not_given(
    says: list[str], error: type
):
    async def script(peer: Peer) -> None:
        await peer.says(says[0])
        if len(says) > 1:
            await peer.expects("STARTTLS")
            await peer.sends(says[1].replace("{tag}", peer.tag).encode() + b"\r\n")
        assert b"LOGIN" not in await peer.reader.read()

    async with listening(script) as port:
        with pytest.raises(error):
            async with connect(
                Endpoint(host="127.0.0.1", port=port, security=Security.STARTTLS),
                dial=dial,
                timeouts=QUICK,
            ) as session:
                await session.login("ada", "secret")

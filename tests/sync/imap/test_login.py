import base64

import pytest

from services.sync.imap import (
    AuthFailed,
    Bye,
    Unavailable,
)
from tests.sync.imap.scripted import Peer, talking_to


async def test_the_words_of_a_server_that_refuses_the_password_are_kept():
    async def script(peer: Peer) -> None:
        await peer.says("* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expects('LOGIN "ada" "secret"')
        await peer.says("{tag} NO [AUTHENTICATIONFAILED] Please use an app password.")

    with pytest.raises(AuthFailed) as raised:
        async with talking_to(script):
            pass
    assert raised.value.server_said == "Please use an app password."
    assert raised.value.code == "AUTHENTICATIONFAILED"


async def test_a_server_that_cannot_tell_now_does_not_make_the_password_wrong():
    async def script(peer: Peer) -> None:
        await peer.says("* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expects('LOGIN "ada" "secret"')
        await peer.says("{tag} NO [UNAVAILABLE] The directory is away.")

    with pytest.raises(Unavailable):
        async with talking_to(script):
            pass


async def test_the_reason_in_a_goodbye_during_login_is_kept():
    async def script(peer: Peer) -> None:
        await peer.says("* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expects('LOGIN "ada" "secret"')
        await peer.says("* BYE Account locked.")

    with pytest.raises(Bye, match="Account locked"):
        async with talking_to(script):
            pass


@pytest.mark.parametrize("at_once", [True, False])
async def test_plain_is_preferred_and_carries_any_password(at_once: bool):
    said = base64.b64encode('\0añá\0pass wörd\r\n"'.encode()).decode()

    async def script(peer: Peer) -> None:
        offers = "IMAP4rev1 AUTH=PLAIN" + (" SASL-IR" if at_once else "")
        await peer.says(f"* OK [CAPABILITY {offers}] ready")
        if at_once:
            assert (await peer.expects("AUTHENTICATE PLAIN (.*)"))[1] == said
        else:
            await peer.expects("AUTHENTICATE PLAIN")
            await peer.says("+")
            assert (await peer.line()).decode() == said
        await peer.says("{tag} OK in")
        await peer.expects("CAPABILITY")
        await peer.says("* CAPABILITY IMAP4rev1 IDLE", "{tag} OK done")
        await peer.parts()

    async with talking_to(script, log_in=False) as session:
        await session.login("añá", 'pass wörd\r\n"')
        assert "IDLE" in session.capabilities


async def test_a_password_beyond_ascii_is_a_literal_for_login():
    async def script(peer: Peer) -> None:
        await peer.says("* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expects(r'LOGIN "ada" \{8\}')
        await peer.says("+ go on")
        assert await peer.literal(8) == "wörd\r\n1".encode()
        assert await peer.line() == b""
        await peer.says("{tag} OK [CAPABILITY IMAP4rev1] in")
        await peer.parts()

    async with talking_to(script, log_in=False) as session:
        await session.login("ada", "wörd\r\n1")


async def test_a_password_is_tried_once():
    async def script(peer: Peer) -> None:
        await peer.says("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready")
        await peer.expects("AUTHENTICATE PLAIN .*")
        await peer.says("{tag} NO nope")
        assert await peer.reader.read() == b""

    with pytest.raises(AuthFailed, match="nope"):
        async with talking_to(script):
            pass


async def test_login_disabled_is_respected():
    async def script(peer: Peer) -> None:
        await peer.says("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS] ready")
        assert await peer.reader.read() == b""

    with pytest.raises(AuthFailed):
        async with talking_to(script):
            pass

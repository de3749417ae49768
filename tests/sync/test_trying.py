"""What somebody is told who tries an IMAP server: how far one comes with it, and why no further."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.sync.actions import try_server as trying
from services.sync.settings import Settings
from shared.contracts.account import Endpoint, Security
from shared.contracts.envelope import Caller
from shared.contracts.trying import Tried, TryImap
from shared.seal import Credential, Destination, OpeningKeys, SealingKeys, new_key, seal
from tests.servers.certificate import self_signed
from tests.sync.imap.scripted import Peer, listening

Script = Callable[[Peer], Awaitable[None]]
GREETING = "* OK [CAPABILITY IMAP4rev1] ready"
LOGIN = "LOGIN .*"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    new_key(tmp_path / "keys")
    return tmp_path / "keys"


async def tried(
    keys: Path, port: int, security: Security = Security.NONE, *, verify: bool = False
) -> Tried:
    endpoint = Endpoint(
        host="127.0.0.1", port=port, security=security, username="ada", verify_certificate=verify
    )
    caller = Caller(tenant_id=uuid4(), account_ids=())
    account_id = uuid4()
    place = Destination.of(
        endpoint, tenant_id=caller.tenant_id, account_id=account_id, purpose="imap"
    )
    query = TryImap(
        caller=caller,
        account_id=account_id,
        endpoint=endpoint,
        sealed=seal(Credential.at(place, "secret"), SealingKeys.load(keys)),
    )
    given: dict[str, Any] = {
        "database_url": "postgresql://unused",
        "request_database_url": "postgresql://unused",
        "bus_url": "nats://unused",
        "probe_port": 0,
        "seal_keys_dir": keys,
        "dial_allowed_networks": "127.0.0.0/8",
    }
    unused: Any = None  # a server that is given is in no table, and has a password
    opening = OpeningKeys.load(keys)
    answer = await trying.try_server(query, Settings(**given), opening, unused, unused)
    assert answer.tried is not None
    return answer.tried


def says(*lines: str, to: str | None = None) -> Script:
    """Greets if it likes, and answers what it is asked; then it goes on listening."""

    async def script(peer: Peer) -> None:
        if to is not None:
            await peer.says(GREETING)
            await peer.expects(to)
        await peer.says(*lines)
        await peer.reader.read()

    return script


async def hangs_up(peer: Peer) -> None:
    del peer


async def hangs_up_when_asked(peer: Peer) -> None:
    await peer.says(GREETING)
    await peer.expects(LOGIN)


async def says_why_and_hangs_up(peer: Peer) -> None:
    await hangs_up_when_asked(peer)
    await peer.says("* BYE Account locked.")


@pytest.mark.parametrize(
    ("script", "security", "stage", "reason"),
    [
        (hangs_up, Security.NONE, "greeting", "connection_lost"),
        (says("* BYE Too busy"), Security.NONE, "greeting", "server_said_bye"),
        (says("220 mail.example.org ESMTP"), Security.NONE, "greeting", "not_imap"),
        (says(GREETING), Security.TLS, "tls", "encryption_refused"),
        (says(GREETING), Security.STARTTLS, "capability", "encryption_refused"),
        (says("* PREAUTH in"), Security.STARTTLS, "capability", "encryption_refused"),
        (
            says("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready"),
            Security.NONE,
            "capability",
            "encryption_required",
        ),
        (
            says("{tag} NO [AUTHENTICATIONFAILED] No.", to=LOGIN),
            Security.NONE,
            "auth",
            "auth_failed",
        ),
        (
            says("{tag} NO [ALERT] Application-specific password required", to=LOGIN),
            Security.NONE,
            "auth",
            "app_password_required",
        ),
        (says("{tag} NO [UNAVAILABLE] Later.", to=LOGIN), Security.NONE, "auth", "server_busy"),
        (says_why_and_hangs_up, Security.NONE, "auth", "server_said_bye"),
        (hangs_up_when_asked, Security.NONE, "auth", "connection_lost"),
    ],
    ids=lambda one: str(getattr(one, "__name__", one)),
)
async def test_it_is_said_how_far_one_comes_and_why_no_further(
    keys: Path, script: Script, security: Security, stage: str, reason: str
) -> None:
    async with listening(script) as port:
        found = await tried(keys, port, security)
    assert (found.failed_at, found.reason) == (stage, reason), found


@pytest.mark.parametrize(
    ("script", "stage"), [(says(), "greeting"), (says(to=LOGIN), "auth")], ids=["at once", "asked"]
)
async def test_who_says_nothing_is_not_waited_for(
    keys: Path, monkeypatch: pytest.MonkeyPatch, script: Script, stage: str
) -> None:
    monkeypatch.setattr(trying, "_STEP_SECONDS", 1.0)
    async with listening(script) as port:
        found = await tried(keys, port)
    assert (found.failed_at, found.reason) == (stage, "server_silent"), found


async def test_a_certificate_that_nobody_vouches_for_is_no_missing_encryption(
    keys: Path, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(tmp_path))

    async def script(peer: Peer) -> None:
        await peer.says(GREETING)
        await peer.expects(LOGIN)
        await peer.says("{tag} OK [CAPABILITY IMAP4rev1 IDLE] in")
        await peer.parts()

    async with listening(script, tls=context) as port:
        found = await tried(keys, port, Security.TLS, verify=True)
        assert (found.failed_at, found.reason) == ("certificate", "certificate_invalid")
        assert found.detail
        assert "self-signed" in found.detail
        trusting = await tried(keys, port, Security.TLS)
    assert trusting.failed_at is None, trusting
    assert "IDLE" in trusting.capabilities


async def test_a_port_on_which_nobody_listens_is_told_from_a_server_that_is_wrong(
    keys: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    closed = await tried(keys, port)
    assert (closed.failed_at, closed.reason) == ("tcp", "connect_refused")

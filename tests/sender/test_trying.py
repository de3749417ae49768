"""What somebody is told who tries a submission server: how far one comes, and why no further."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.sender.actions import try_server as trying
from services.sender.settings import Settings
from shared.contracts.account import Endpoint, Security
from shared.contracts.envelope import Caller
from shared.contracts.trying import Tried, TrySmtp
from shared.seal import Credential, Destination, OpeningKeys, SealingKeys, new_key, seal
from tests.sender.scripted import Does, ScriptedServer


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    new_key(tmp_path / "keys")
    return tmp_path / "keys"


async def tried(keys: Path, port: int, security: Security = Security.NONE) -> Tried:
    endpoint = Endpoint(
        host="127.0.0.1", port=port, security=security, username="ada", verify_certificate=False
    )
    caller = Caller(tenant_id=uuid4(), account_ids=())
    account_id = uuid4()
    place = Destination.of(
        endpoint, tenant_id=caller.tenant_id, account_id=account_id, purpose="smtp"
    )
    query = TrySmtp(
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


@pytest.mark.parametrize(
    ("does", "security", "stage", "reason"),
    [
        ({"greeting": Does.CLOSE}, Security.NONE, "greeting", "disconnected"),
        ({"greeting": "554 5.7.1 not you"}, Security.NONE, "greeting", "not_served"),
        ({"greeting": "* OK IMAP4rev1 ready"}, Security.NONE, "greeting", "garbled"),
        ({"EHLO": Does.CLOSE}, Security.NONE, "greeting", "disconnected"),
        ({}, Security.TLS, "tls", "tls_failed"),
        ({}, Security.STARTTLS, "capability", "starttls_not_offered"),
        ({"EHLO": "250 mx.example"}, Security.NONE, "capability", "auth_not_offered"),
        (
            {"EHLO": "250-mx.example\r\n250 AUTH GSSAPI"},
            Security.NONE,
            "capability",
            "auth_not_offered",
        ),
        ({"AUTH": "535 5.7.8 wrong"}, Security.NONE, "auth", "auth_failed"),
        ({"AUTH": "454 4.7.0 later"}, Security.NONE, "auth", "auth_unavailable"),
        ({"AUTH": Does.CLOSE}, Security.NONE, "auth", "disconnected"),
        ({"AUTH": "hello?"}, Security.NONE, "auth", "garbled"),
    ],
    ids=str,
)
async def test_it_is_said_how_far_one_comes_and_why_no_further(
    keys: Path, does: dict[str, str | Does], security: Security, stage: str, reason: str
) -> None:
    async with ScriptedServer().does(**does).running() as server:
        found = await tried(keys, server.port, security)
    assert (found.failed_at, found.reason) == (stage, reason), found
    assert found.detail


@pytest.mark.parametrize(("phase", "stage"), [("greeting", "greeting"), ("AUTH", "auth")])
async def test_who_says_nothing_is_not_waited_for(
    keys: Path, monkeypatch: pytest.MonkeyPatch, phase: str, stage: str
) -> None:
    monkeypatch.setattr(trying, "_STEP_SECONDS", 1.0)
    async with ScriptedServer().does(**{phase: Does.SILENCE}).running() as server:
        found = await tried(keys, server.port)
    assert (found.failed_at, found.reason) == (stage, "timed_out"), found


async def test_what_works_says_what_it_offers_and_sends_nothing(keys: Path) -> None:
    async with ScriptedServer().running() as server:
        found = await tried(keys, server.port)
        assert (found.failed_at, found.reason) == (None, None)
        assert "SIZE 50000000" in found.capabilities
        (talk,) = server.talks
        assert [line.partition(" ")[0] for line in talk.commands] == ["EHLO", "AUTH", "QUIT"]
    closed = await tried(keys, server.port)
    assert (closed.failed_at, closed.reason) == ("tcp", "connect_refused")

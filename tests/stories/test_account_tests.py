"""Whether an account works, asked before it is connected and after: what is wrong, exactly."""

import asyncio
import socket
from typing import Any

import httpx
import pytest

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.name_server import NameServer
from tests.servers.postfix import Postfix
from tests.stories.stack import until
from tests.stories.walk import connect, connection, until_state

pytestmark = pytest.mark.story

UNVERIFIED = {"verify_certificate": False}


async def tried(person: httpx.AsyncClient, **servers: Any) -> dict[str, Any]:
    answer = await person.post("/accounts:test", json=servers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def tried_again(person: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """What the test of an account says, once both services have heard of the account."""

    async def answered() -> dict[str, Any] | None:
        answer = await person.post(path)
        if answer.status_code == 503:
            assert answer.json()["code"] == "test_unavailable", answer.text
            return None
        assert answer.status_code == 200, answer.text
        return answer.json()

    return await until(f"{path} is answered", answered)


def stage(found: dict[str, Any]) -> tuple[str | None, str | None]:
    return found["failed_at"], found["reason"]


async def test_what_works_works_and_says_what_it_can(
    person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    ada = dovecot.new_user("ada")
    for security, imap_port, smtp_port in (
        ("none", dovecot.imap_port, postfix.submission_port),
        ("starttls", dovecot.imap_port, postfix.submission_port),
        ("tls", dovecot.imaps_port, postfix.submissions_port),
    ):
        how = UNVERIFIED | {"security": security}
        found = await tried(
            person,
            imap=connection(imap_port, ada) | how,
            smtp={"host": "127.0.0.1", "port": smtp_port, **how},
        )
        assert found["ok"], found
        assert stage(found["imap"]) == stage(found["smtp"]) == (None, None)
        assert "IDLE" in found["imap"]["capabilities"]
        assert any(one.startswith("SIZE ") for one in found["smtp"]["capabilities"])
    assert (await person.get("/accounts")).json()["items"] == []


async def test_each_thing_that_is_wrong_is_named(
    person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    ada = dovecot.new_user("ada")
    imap, smtp = connection(dovecot.imap_port, ada), connection(postfix.submission_port, ada)
    with socket.create_server(("127.0.0.1", 0)) as closing:
        closed = closing.getsockname()[1]

    async def both(change: dict[str, Any]) -> tuple[Any, Any]:
        found = await tried(person, imap=imap | change, smtp=smtp | change)
        assert not found["ok"]
        return found["imap"], found["smtp"]

    for one in await both({"host": "nowhere.invalid"}):
        assert stage(one) in {("dns", "name_not_found"), ("dns", "name_lookup_failed")}
    for one in await both({"port": closed}):
        assert stage(one) == ("tcp", "connect_refused")
    for one in await both({"host": "10.0.0.1"}):
        assert stage(one) == ("tcp", "address_refused")
    for one in await both({"security": "starttls"}):
        assert stage(one) == ("certificate", "certificate_invalid")
        assert "self-signed" in one["detail"]
    for one in await both({"security": "tls"} | UNVERIFIED):  # where none is spoken
        assert one["failed_at"] == "tls"
    for one in await both({"password": "not-the-password"}):
        assert stage(one) == ("auth", "auth_failed")
        assert one["server_said"]
    swapped = await tried(
        person,
        imap=imap | {"port": postfix.submission_port},
        smtp=smtp | {"port": dovecot.imap_port},
    )
    assert stage(swapped["imap"]) == ("greeting", "not_imap")
    assert stage(swapped["smtp"]) == ("greeting", "garbled")


async def test_an_account_is_tested_with_the_password_that_is_kept(
    person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    ada = dovecot.new_user("ada")
    account = await connect(person, ada, dovecot, postfix)
    await until_state(person, account, "live")
    good = await tried_again(person, f"/accounts/{account}:test")
    assert good["ok"], good
    assert PASSWORD not in str(good)

    grace = dovecot.new_user("grace")
    wrong = await connect(person, grace, dovecot, postfix, password="not-the-password")
    await until_state(person, wrong, "auth_failed")
    bad = await tried_again(person, f"/accounts/{wrong}/test")
    assert stage(bad["imap"]) == stage(bad["smtp"]) == ("auth", "auth_failed")


async def test_who_knows_only_an_address_comes_to_a_mailbox_that_lives(
    stack_names: NameServer, person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    """The servers are found, tried as they were found, and kept once they are good."""
    ada, bob = dovecot.new_user("ada"), dovecot.new_user("bob")
    domain = ada.partition("@")[2]
    stack_names.zone[f"_imaps._tcp.{domain}", "SRV"] = [f"0 1 {dovecot.imaps_port} localhost."]
    stack_names.zone[f"_submissions._tcp.{domain}", "SRV"] = [
        f"0 1 {postfix.submissions_port} localhost."
    ]

    async def discovered() -> dict[str, Any] | None:
        answer = await person.post("/discover", json={"email": ada})
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.json()["imap"] and answer.json()["smtp"] else None

    found = await until("the servers of the address are found", discovered)
    imap, smtp = found["imap"][0], found["smtp"][0]
    assert imap["source"] == smtp["source"] == "srv"
    assert imap["to_confirm"], "localhost is not the domain's own"  # RFC 6186 §6
    servers = {
        kind: one["server"] | {"password": PASSWORD}
        for kind, one in (("imap", imap), ("smtp", smtp))
    }
    bad = await tried(person, **servers)
    assert stage(bad["imap"]) == stage(bad["smtp"]) == ("certificate", "certificate_invalid")
    servers = {kind: one | UNVERIFIED for kind, one in servers.items()}  # a person looked at it
    good = await tried(person, **servers)
    assert good["ok"], good

    answer = await person.post("/accounts", json={"email": ada, **servers})
    assert answer.status_code == 201, answer.text
    account = answer.json()["id"]
    await until_state(person, account, "live")
    sent = await person.post(
        "/submissions", json={"account_id": account, "to": [bob], "subject": "Hi", "text": "x"}
    )
    assert sent.status_code in (200, 201, 202), sent.text

    async def delivered() -> bool:
        return len(await asyncio.to_thread(dovecot.messages, bob)) == 1

    await until("the message is with Bob", delivered)


async def test_what_is_asked_wrongly_is_refused(person: httpx.AsyncClient) -> None:
    nothing = await person.post("/accounts:test", json={})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "validation_failed")
    nobody = await person.post(
        "/accounts:test", json={"smtp": {"host": "127.0.0.1", "port": 1, "security": "none"}}
    )
    assert nobody.json()["errors"][0]["pointer"] == "/smtp/username"
    elsewhere = await person.post("/accounts/acc_00000000000000000000000000:test")
    assert elsewhere.status_code == 404

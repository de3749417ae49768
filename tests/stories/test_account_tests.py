"""Whether an account works, asked before it is connected and after: what is wrong, exactly."""

import socket
from typing import Any

import httpx
import pytest

from tests.servers.dovecot import PASSWORD, Dovecot
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


async def test_what_is_asked_wrongly_is_refused(person: httpx.AsyncClient) -> None:
    nothing = await person.post("/accounts:test", json={})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "validation_failed")
    nobody = await person.post(
        "/accounts:test", json={"smtp": {"host": "127.0.0.1", "port": 1, "security": "none"}}
    )
    assert nobody.json()["errors"][0]["pointer"] == "/smtp/username"
    elsewhere = await person.post("/accounts/acc_00000000000000000000000000:test")
    assert elsewhere.status_code == 404

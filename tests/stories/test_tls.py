"""Whom a password is told: the server whose certificate holds, and nobody inside our network."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import until
from tests.stories.walk import connection, pages, until_mailbox, until_state

pytestmark = pytest.mark.story

LETTER = b"From: ada@postbus.test\r\nSubject: Sealed\r\n\r\nIn a tunnel.\r\n"
# Where no user may send us: the metadata of clouds, private networks, and ways to write them.
INSIDE = (
    "169.254.169.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "fe80::1",
    "fd00::1",
    "[::]",
    "0xa.0.0.1",
    "167772161",
)


async def connect(person: httpx.AsyncClient, email: str, imap: Any, smtp: Any) -> str:
    answer = await person.post(
        "/accounts", json={"name": "Ada", "email": email, "imap": imap, "smtp": smtp}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def send(person: httpx.AsyncClient, account: str, to: str) -> str:
    answer = await person.post(
        "/submissions",
        json={"account_id": account, "to": [to], "subject": "In a tunnel", "text": "Hi.\n"},
    )
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def until_submission(person: httpx.AsyncClient, submission: str, state: str) -> Any:
    async def check() -> Any:
        found = (await person.get(f"/submissions/{submission}")).json()
        return found if found["state"] == state else None

    return await until(f"{submission} is {state}", check)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_nobody_vouches_for_is_refused_until_the_account_says_otherwise(
    person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix, security: str
) -> None:
    ada, grace = dovecot.new_user("ada"), dovecot.new_user("grace")
    dovecot.append(ada, "INBOX", [LETTER])
    logged = {server: server.log.stat().st_size for server in (dovecot, postfix)}

    def said_since(server: Dovecot | Postfix) -> str:
        return server.log.read_bytes()[logged[server] :].decode()

    ports = (
        (dovecot.imaps_port, postfix.submissions_port)
        if security == "tls"
        else (dovecot.imap_port, postfix.submission_port)
    )
    imap, smtp = (connection(port, ada) | {"security": security} for port in ports)
    account = await connect(person, ada, imap, smtp)
    submission = await send(person, account, grace)

    refused = await until_state(person, account, "unreachable")
    assert refused["reason"] == "certificate_invalid"
    assert "self-signed" in refused["server_said"]
    put_off = await until_submission(person, submission, "deferred")
    assert put_off["reason"] == "certificate_invalid"
    assert put_off["next_attempt_at"]
    assert [one["fate"] for one in put_off["recipients"]] == ["deferred"]
    assert f"<{ada}>" not in said_since(dovecot), "the password was told"
    assert f"sasl_username={ada}" not in said_since(postfix), "the password was told"

    # Not looking at certificates any more is a new way for the password: it is asked for again.
    answer = await person.patch(
        f"/accounts/{account}", json={"imap": {"verify_certificate": False}}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "secret_required")
    mended = {"verify_certificate": False, "password": PASSWORD}
    answer = await person.patch(f"/accounts/{account}", json={"imap": mended, "smtp": mended})
    assert answer.status_code == 200, answer.text
    assert answer.json()["imap"]["verify_certificate"] is False

    await until_state(person, account, "live")
    inbox = (await until_mailbox(person, account))["id"]
    (message,) = await until(
        "the message is listed", lambda: pages(person, "/messages", mailbox_id=inbox)
    )
    assert message["subject"] == "Sealed"
    # What was put off is tried at once, not when its pause is over.
    await until_submission(person, submission, "accepted")

    async def arrived() -> bool:
        return len(dovecot.messages(grace)) == 1

    await until("the message arrives", arrived)
    # `TLS` where the line was encrypted, `secured` where it only was loopback.
    logins = [line for line in said_since(dovecot).splitlines() if f"user=<{ada}>" in line]
    assert logins
    assert all("TLS" in line for line in logins), logins
    assert f"sasl_username={ada}" in said_since(postfix)


async def test_encryption_is_not_given_up_where_the_server_speaks_none(
    person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    ada = dovecot.new_user("ada")
    tls = {"security": "tls", "verify_certificate": False}
    imap, smtp = connection(dovecot.imap_port, ada), connection(postfix.submission_port, ada)
    account = await connect(person, ada, imap | tls, smtp | tls)
    submission = await send(person, account, ada)
    refused = await until_state(person, account, "unreachable")
    assert refused["reason"] == "unreachable"
    assert "TLS" in refused["server_said"]
    put_off = await until_submission(person, submission, "deferred")
    assert put_off["reason"] == "tls_failed"


async def test_nobody_is_led_into_a_private_network(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    ada = dovecot.new_user("ada")

    async def refused(host: str) -> tuple[str, Any, Any]:
        place = connection(25, ada) | {"host": host}
        account = await connect(person, ada, place, place)
        submission = await send(person, account, ada)
        told = await until_state(person, account, "unreachable", seconds=20)
        put_off = await until_submission(person, submission, "deferred")
        return host, told, put_off

    for host, told, put_off in await asyncio.gather(*map(refused, INSIDE)):
        assert told["reason"] == "address_refused", host
        assert put_off["reason"] == "address_refused", host
        for words in (told["server_said"], put_off["server_said"]):
            assert "private network" in words, host

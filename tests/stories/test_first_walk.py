"""What the README shows step by step with curl, against real Dovecot and Postfix."""

import asyncio
import json
from email import message_from_bytes, policy

import httpx
import pytest
from httpx_sse import aconnect_sse

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, pages, until_mailbox, until_state

pytestmark = pytest.mark.story

LUNCH = b"""From: Ada <ada@postbus.test>\r
To: Grace <grace@postbus.test>\r
Subject: Lunch on Friday\r
Message-ID: <lunch@postbus.test>\r
Date: Fri, 20 Nov 2026 10:00:00 +0000\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary="b"\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
\r
Shall we try the new ramen place? Bring the telescope.\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p onclick="alert(1)">Shall we try the <b>new ramen place</b>?</p>
<script>alert(1)</script><img src="https://tracker.example/x.gif">\r
--b--\r
"""


async def until_found(person: httpx.AsyncClient, query: str, subject: str) -> dict[str, object]:
    async def check() -> dict[str, object] | None:
        answer = await person.get("/search", params={"q": query})
        assert answer.status_code == 200, answer.text
        return next((m for m in answer.json()["items"] if m["subject"] == subject), None)

    return await until(f"{query!r} finds {subject!r}", check)


async def test_connecting_an_account_shows_its_mail_and_finds_it(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [LUNCH])
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")

    inbox = await until_mailbox(person, account)
    assert inbox["role"] == "inbox"

    async def listed() -> list[dict[str, object]]:
        return await pages(person, "/messages", mailbox_id=inbox["id"])

    (message,) = await until("the message is listed", listed)
    assert message["subject"] == "Lunch on Friday"

    opened = (await person.get(f"/messages/{message['id']}")).json()
    assert "telescope" in opened["text"]
    assert "<b>new ramen place</b>" in opened["html"]
    for danger in ("<script", "onclick", ' src="https://tracker.example'):
        assert danger not in opened["html"]
    for query in ("ramen", "from:ada", "telescope lunch", "subject:friday"):
        found = await until_found(person, query, "Lunch on Friday")
        assert found["id"] == message["id"]


async def test_a_wrong_password_is_said_in_the_servers_words_and_a_right_one_mends_it(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [LUNCH])
    account = await connect(person, user, dovecot, password="wrong")
    failed = await until_state(person, account, "auth_failed")
    assert "authentication failed" in failed["server_said"].lower()

    answer = await person.patch(f"/accounts/{account}", json={"imap": {"password": "open-sesame"}})
    assert answer.status_code == 200, answer.text
    live = await until_state(person, account, "live")
    assert live["id"] == account
    assert live["server_said"] is None


async def test_an_unreachable_server_is_told_and_tried_again(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    body = {
        "name": "Nobody home",
        "email": user,
        "imap": {
            "host": "127.0.0.1",
            "port": 1,
            "security": "none",
            "username": user,
            "password": "x",
        },
    }
    body["smtp"] = body["imap"]
    answer = await person.post("/accounts", json=body)
    assert answer.status_code == 201, answer.text
    account = answer.json()["id"]
    told = await until_state(person, account, "unreachable")
    assert told["reason"] == "connect_refused"


async def test_changing_an_account_keeps_every_id(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [LUNCH])
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")
    before = await pages(person, "/messages", account_id=account)

    refused = await person.patch(
        f"/accounts/{account}",
        json={"imap": {"port": dovecot.imaps_port, "security": "tls"}},
    )
    assert refused.status_code == 422
    assert refused.json()["code"] == "secret_required"
    answer = await person.patch(
        f"/accounts/{account}", json={"name": "Renamed", "imap": {"password": "open-sesame"}}
    )
    assert answer.status_code == 200, answer.text
    await until_state(person, account, "live")
    after = await pages(person, "/messages", account_id=account)
    assert [m["id"] for m in before] == [m["id"] for m in after]
    assert (await person.get(f"/accounts/{account}")).json()["name"] == "Renamed"


async def test_new_mail_shows_as_an_event_and_changes_elsewhere_are_followed(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")

    heard: list[dict[str, object]] = []

    async def listen() -> None:
        async with aconnect_sse(
            person, "GET", "/events", params={"after": "earliest"}, timeout=120
        ) as source:
            async for event in source.aiter_sse():
                if event.data:
                    heard.append({"type": event.event, **json.loads(event.data)})

    listening = asyncio.create_task(listen())
    try:

        async def event(kind: str) -> dict[str, object] | None:
            return next((e for e in heard if e["type"] == kind), None)

        await until("the log is being read", lambda: event("account.state_changed"))
        (uid,) = dovecot.append(user, "INBOX", [LUNCH])
        await until("message.received", lambda: event("message.received"), seconds=20)
        inbox = await until_mailbox(person, account)
        (message,) = await pages(person, "/messages", mailbox_id=inbox["id"])

        with dovecot.imap(user) as imap:
            imap.select("INBOX")
            imap.uid("STORE", str(uid), "+FLAGS", "(\\Flagged)")
        await until("message.updated", lambda: event("message.updated"), seconds=30)
        seen = (await person.get(f"/messages/{message['id']}")).json()
        assert "\\Flagged" in seen["keywords"]

        with dovecot.imap(user) as imap:
            imap.select("INBOX")
            imap.uid("MOVE", str(uid), "Archive")
        await until("message.moved", lambda: event("message.moved"), seconds=90)

        async def in_archive() -> bool:
            archive = await until_mailbox(person, account, "Archive")
            rows = await pages(person, "/messages", mailbox_id=archive["id"])
            return [row["id"] for row in rows] == [message["id"]]

        await until("the message is in Archive under the same id", in_archive, seconds=90)

        with dovecot.imap(user) as imap:
            imap.select("Archive")
            imap.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)")
            imap.expunge()
        await until("message.deleted", lambda: event("message.deleted"), seconds=120)
        assert (await person.get(f"/messages/{message['id']}")).status_code == 404
    finally:
        listening.cancel()


async def test_a_submission_arrives_and_a_copy_is_in_sent_exactly_once(
    person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    ada, grace = dovecot.new_user("ada"), dovecot.new_user("grace")
    account = await connect(person, ada, dovecot, postfix)
    await until_state(person, account, "live")

    answer = await person.post(
        "/submissions",
        json={
            "account_id": account,
            "to": [f"Grace Höpper <{grace}>"],
            "bcc": [dovecot.new_user("secret")],
            "subject": "Grüße aus dem Test",
            "text": "It works.\n",
            "html": "<p>It <b>works</b>.</p>",
        },
    )
    assert answer.status_code == 202, answer.text
    submission = answer.json()["id"]

    async def accepted() -> dict[str, object] | None:
        found = (await person.get(f"/submissions/{submission}")).json()
        return found if found["state"] == "accepted" else None

    await until("the submission is accepted", accepted)

    async def arrived() -> list[bytes]:
        return list(dovecot.messages(grace).values())

    (raw,) = await until("the message arrives", arrived)
    message = message_from_bytes(raw, policy=policy.default)
    assert message["Subject"] == "Grüße aus dem Test"
    assert "secret" not in str(message).lower()

    async def filed() -> bool:
        return bool((await person.get(f"/submissions/{submission}")).json()["filed"])

    await until("a copy is in Sent", filed)
    sent = dovecot.message_ids(ada, "Sent")
    assert list(sent.values()) == [message["Message-ID"]]


async def test_a_removed_account_takes_everything_with_it_but_the_servers_mail(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [LUNCH])
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")
    message = await until_found(person, "telescope", "Lunch on Friday")

    answer = await person.delete(f"/accounts/{account}")
    assert answer.status_code in {202, 204}
    assert (await person.get(f"/accounts/{account}")).status_code == 404
    assert (await person.get(f"/messages/{message['id']}")).status_code == 404
    assert (await person.get("/search", params={"q": "telescope"})).json()["items"] == []
    assert len(dovecot.messages(user)) == 1

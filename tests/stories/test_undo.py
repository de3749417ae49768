"""What a person takes back within half a minute is as it was, here and on the server."""

from typing import Any

import httpx
import pytest

from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.stories.test_changes import WAIT, changed, listed, there
from tests.stories.walk import connect, until_mailbox, until_state

pytestmark = pytest.mark.story


def reply(subject: str, to: str) -> bytes:
    return (
        f"From: Ada <ada@example.org>\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject}@example.org>\r\nIn-Reply-To: <{to}@example.org>\r\n"
        "Date: Fri, 20 Nov 2026 12:00:00 +0000\r\n\r\nAbout the roof.\r\n"
    ).encode()


async def an_account(
    person: httpx.AsyncClient, dovecot: Dovecot, *messages: bytes
) -> tuple[str, str, dict[str, dict[str, Any]]]:
    """The account's user, its INBOX, and what is in it by subject."""
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", list(messages))
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")
    inbox = (await until_mailbox(person, account))["id"]

    async def all_of_them() -> dict[str, Any] | None:
        found = await listed(person, inbox)
        return found if len(found) == len(messages) else None

    return user, inbox, await until("all messages are listed", all_of_them)


async def undone(person: httpx.AsyncClient, job: dict[str, Any]) -> None:
    answer = await person.post(f"/jobs/{job['id']}:undo", headers=WAIT)
    assert answer.json()["state"] == "done", answer.text


async def test_marks_and_deleting_are_taken_back_after_the_server_had_them(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user, inbox, rows = await an_account(person, dovecot, reply("one", "x"), reply("two", "y"))
    one = rows["one"]["id"]
    marks = {"flagged": True, "seen": True, "custom": {"$label1": True}}
    job = await changed(person, one, {"keywords": marks}, **WAIT)
    assert job["state"] == "done"
    assert there(dovecot, user)["one"] == {"\\Flagged", "\\Seen", "$label1"}
    await undone(person, job)
    assert there(dovecot, user)["one"] == set()
    assert (await listed(person, inbox))["one"]["keywords"] == []

    job = await changed(person, one, {"delete": True}, **WAIT)
    assert (job["state"], set(there(dovecot, user, "Trash"))) == ("done", {"one"})
    await undone(person, job)
    assert set(there(dovecot, user)) == {"one", "two"}
    back = (await listed(person, inbox))["one"]
    assert (back["id"], back["pending"]) == (one, False)


async def test_a_batch_and_a_thread_are_taken_back_whole_and_each_as_it_was(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user, inbox, rows = await an_account(
        person, dovecot, reply("one", "zero"), reply("two", "one"), reply("three", "elsewhere")
    )
    await changed(person, rows["two"]["id"], {"keywords": {"seen": True}}, **WAIT)
    assert rows["one"]["thread_id"] == rows["two"]["thread_id"] != rows["three"]["thread_id"]

    answer = await person.patch(
        f"/threads/{rows['one']['thread_id']}",
        json={"keywords": {"seen": True}, "delete": True},
        headers=WAIT,
    )
    [job] = answer.json()["jobs"]
    assert (job["state"], job["done"]) == ("done", 2)
    assert there(dovecot, user, "Trash") == {"one": {"\\Seen"}, "two": {"\\Seen"}}
    await undone(person, job)
    as_before = {"one": set[str](), "two": {"\\Seen"}, "three": set[str]()}
    assert there(dovecot, user) == as_before

    archive = (await until_mailbox(person, rows["one"]["account_id"], "Archive"))["id"]
    answer = await person.post(
        "/messages:batch",
        json={
            "message_ids": [row["id"] for row in rows.values()],
            "change": {"mailbox_id": archive, "keywords": {"flagged": True}},
        },
        headers=WAIT,
    )
    [job] = answer.json()["jobs"]
    assert (job["state"], len(there(dovecot, user, "Archive"))) == ("done", 3)
    await undone(person, job)
    assert there(dovecot, user) == as_before
    assert {one["id"] for one in (await listed(person, inbox)).values()} == {
        one["id"] for one in rows.values()
    }


async def test_what_a_search_finds_is_deleted_and_a_mailbox_emptied_unless_it_is_taken_back(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user, inbox, rows = await an_account(
        person, dovecot, reply("one", "x"), reply("two", "y"), reply("three", "z")
    )
    account = rows["one"]["account_id"]

    async def found() -> bool:
        answer = await person.get("/search", params={"q": "roof"})
        return len(answer.json()["items"]) == 3

    await until("all are found", found)
    answer = await person.post(
        "/messages:batch",
        json={
            "query": {"account_id": account, "q": "roof -subject:two"},
            "change": {"delete": True},
        },
        headers=WAIT,
    )
    [job] = answer.json()["jobs"]
    assert (job["state"], job["done"]) == ("done", 2)
    assert set(there(dovecot, user)) == {"two"}
    assert set(there(dovecot, user, "Trash")) == {"one", "three"}

    # Emptied at once to the eye; the server is not asked before it is sure.
    answer = await person.post(f"/mailboxes/{inbox}:empty")
    assert await listed(person, inbox) == {}
    await undone(person, answer.json())
    assert set(await listed(person, inbox)) == set(there(dovecot, user)) == {"two"}

    # Who waits for the server's word wants it done.
    trash = (await until_mailbox(person, account, "Trash"))["id"]
    answer = await person.post(f"/mailboxes/{trash}:empty", headers=WAIT)
    assert (answer.json()["state"], answer.json()["done"]) == ("done", 2)
    assert there(dovecot, user, "Trash") == {}
    late = await person.post(f"/jobs/{answer.json()['id']}:undo", headers=WAIT)
    assert (late.json()["state"], late.json()["reason"]) == ("failed", "already_carried_out")

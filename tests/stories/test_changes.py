"""What a person changes here, other mail programs see; whatever is away meanwhile."""

from typing import Any

import httpx
import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.process import short_directory
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, pages, until_mailbox, until_state

pytestmark = pytest.mark.story

WAIT = {"Prefer": "wait=20"}


def raw(subject: str) -> bytes:
    return (
        f"From: Ada <ada@example.org>\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject}@example.org>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        "\r\nShall we?\r\n"
    ).encode()


def there(server: Dovecot, user: str, mailbox: str = "INBOX") -> dict[str, set[str]]:
    """Subject → flags, as another mail program sees them."""
    names = server.message_ids(user, mailbox)
    flags = server.flags(user, mailbox)
    return {
        str(name)[1:].split("@")[0]: set(flags[uid] - {"\\Recent"}) for uid, name in names.items()
    }


async def listed(person: httpx.AsyncClient, mailbox: str) -> dict[str, dict[str, Any]]:
    return {row["subject"]: row for row in await pages(person, "/messages", mailbox_id=mailbox)}


async def until_job(person: httpx.AsyncClient, job: str, state: str) -> dict[str, Any]:
    async def check() -> dict[str, Any] | None:
        found = (await person.get(f"/jobs/{job}")).json()
        return found if found["state"] == state else None

    return await until(f"{job} is {state}", check)


async def changed(
    person: httpx.AsyncClient, message: str, change: dict[str, Any], **headers: str
) -> dict[str, Any]:
    answer = await person.patch(f"/messages/{message}", json=change, headers=headers)
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


async def test_a_change_is_shown_at_once_reaches_the_server_and_can_be_undone(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [raw("one"), raw("two"), raw("three")])
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")
    inbox = (await until_mailbox(person, account))["id"]
    archive = (await until_mailbox(person, account, "Archive"))["id"]

    async def all_three() -> dict[str, Any] | None:
        found = await listed(person, inbox)
        return found if len(found) == 3 else None

    ids = {subject: row["id"] for subject, row in (await until("all", all_three)).items()}

    done = await changed(person, ids["one"], {"keywords": {"seen": True}}, **WAIT)
    assert done["state"] == "done"
    assert there(dovecot, user)["one"] == {"\\Seen"}

    # Moved, and moved back: the inverse, for the server has it already.
    done = await changed(person, ids["one"], {"mailbox_id": archive}, **WAIT)
    assert done["state"] == "done"
    assert set(there(dovecot, user, "Archive")) == {"one"}
    assert (await listed(person, archive))["one"]["id"] == ids["one"]
    undone = await person.post(f"/jobs/{done['id']}:undo", headers=WAIT)
    assert undone.json()["state"] == "done", undone.text
    assert set(there(dovecot, user)) == {"one", "two", "three"}
    assert (await listed(person, inbox))["one"]["id"] == ids["one"]

    # Destroyed, and not after all: it was not begun.
    made = await changed(person, ids["two"], {"destroy": True})
    assert set(await listed(person, inbox)) == {"one", "three"}
    undone = await person.post(f"/jobs/{made['id']}:undo", headers=WAIT)
    assert undone.json()["state"] == "done", undone.text
    assert (await person.get(f"/jobs/{made['id']}")).json()["state"] == "undone"
    assert set(await listed(person, inbox)) == {"one", "two", "three"}
    assert set(there(dovecot, user)) == {"one", "two", "three"}

    # All of it by one wish, and a mailbox of its own.
    made = await person.post("/mailboxes", json={"account_id": account, "path": "Neu"})
    assert made.status_code == 202, made.text
    await until_job(person, made.json()["id"], "done")
    new = (await until_mailbox(person, account, "Neu"))["id"]
    batch = await person.post(
        "/messages:batch",
        json={"query": {"mailbox_id": inbox}, "change": {"mailbox_id": new}},
        headers=WAIT,
    )
    [moved] = batch.json()["jobs"]
    assert (moved["state"], moved["done"]) == ("done", 3)
    assert set(there(dovecot, user, "Neu")) == {"one", "two", "three"}
    answer = await person.post(f"/mailboxes/{new}:mark-all-read", headers=WAIT)
    assert answer.json()["state"] == "done"
    assert all("\\Seen" in flags for flags in there(dovecot, user, "Neu").values())


async def test_a_change_waits_for_a_server_that_is_away_whatever_else_is_restarted(
    stack: Stack, person: httpx.AsyncClient
) -> None:
    with short_directory("postbus-away-") as directory, Dovecot(directory) as server:
        user = server.new_user()
        server.append(user, "INBOX", [raw("mine"), raw("theirs")])
        account = await connect(person, user, server)
        await until_state(person, account, "live")
        inbox = (await until_mailbox(person, account))["id"]

        async def both() -> dict[str, Any] | None:
            found = await listed(person, inbox)
            return found if len(found) == 2 else None

        rows = await until("both", both)
        server.stop()
        mine = await changed(person, rows["mine"]["id"], {"keywords": {"flagged": True}})
        theirs = await changed(person, rows["theirs"]["id"], {"delete": True})
        assert (mine["state"], theirs["state"]) == ("pending", "pending")
        now = await listed(person, inbox)
        assert set(now) == {"mine"}
        assert now["mine"]["keywords"] == ["\\Flagged"]
        for name in stack.pids():
            stack.kill(name)

        async def serving() -> bool:
            try:
                return (await person.get(f"/jobs/{mine['id']}")).status_code == 200
            except httpx.HTTPError:
                return False

        await until("the api is back", serving)
        # Meanwhile somebody else moved it away: that counts.
        server.start()
        with server.imap(user) as other:
            other.select("INBOX")
            other.uid("MOVE", "2", "Junk")
        await until_job(person, mine["id"], "done")
        assert there(server, user)["mine"] == {"\\Flagged"}

        async def as_the_server_has_it() -> bool:
            found = (await person.get(f"/messages/{rows['theirs']['id']}")).json()
            junk = (await until_mailbox(person, account, "Junk"))["id"]
            trash = (await until_mailbox(person, account, "Trash"))["id"]
            here = "Junk" if "theirs" in there(server, user, "Junk") else "Trash"
            return found.get("mailbox_id") == (junk if here == "Junk" else trash)

        await until("the message is shown where the server has it", as_the_server_has_it)
        ended = (await person.get(f"/jobs/{theirs['id']}")).json()
        assert ended["state"] in ("done", "failed")

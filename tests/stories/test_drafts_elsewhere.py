"""A draft that is written here, in another program, and here again: one draft all the while."""

import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import httpx
import pytest

from tests.servers.dovecot import Dovecot
from tests.stories.stack import until
from tests.stories.walk import connect, until_state

pytestmark = pytest.mark.story


def texts(dovecot: Dovecot, user: str) -> list[str]:
    return [
        message_from_bytes(raw, policy=default).get_body(("plain",)).get_content().strip()  # type: ignore[union-attr]
        for raw in dovecot.messages(user, "Drafts").values()
    ]


def write_on(dovecot: Dovecot, user: str, text: str) -> None:
    """As programs do: the new one is put beside, then the old one is thrown away."""
    (old,) = dovecot.messages(user, "Drafts")
    message = EmailMessage()
    message["From"], message["To"] = f"{user}@postbus.test", "grace@postbus.test"
    message["Subject"], message["Message-ID"] = "Lunch", f"<{time.time_ns()}@another.program>"
    message.set_content(text)
    message.add_attachment(b"soup", maintype="text", subtype="plain", filename="menu.txt")
    with dovecot.imap(user) as imap:
        imap.append("Drafts", "\\Draft", None, message.as_bytes())  # type: ignore[arg-type]
        imap.select("Drafts")
        imap.uid("STORE", str(old), "+FLAGS", "(\\Deleted)")
        imap.uid("EXPUNGE", str(old))


async def test_a_draft_is_written_here_elsewhere_and_here_again(
    person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user("ada")
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live")
    begun = {"account_id": account, "to": ["grace@postbus.test"], "subject": "Lunch", "text": "1"}
    draft = (await person.post("/drafts", json=begun)).json()
    place = f"/drafts/{draft['id']}"

    async def listed() -> int:
        answer = await person.get("/messages", params={"account_id": account})
        return sum(one["subject"] == "Lunch" for one in answer.json()["items"])

    async def copied(*said: str) -> bool:
        return texts(dovecot, user) == list(said) and await listed() == len(said)

    async def now() -> dict[str, Any]:
        return (await person.get(place)).json()

    await until("our copy is there and known", lambda: copied("1"))
    write_on(dovecot, user, "2")

    async def followed() -> bool:
        return (await now())["text"].strip() == "2"

    await until("the draft follows", followed)
    shown = await now()
    assert shown["version"] == 2
    assert len(shown["attachments"]) == 1
    late = await person.patch(place, json={"text": "x"}, headers={"If-Match": '"1"'})
    assert late.status_code == 412
    saved = await person.patch(place, json={"text": "3"}, headers={"If-Match": '"2"'})
    assert saved.status_code == 200, saved.text
    await until("our copy takes its place", lambda: copied("3"))
    assert len((await person.get("/drafts")).json()["items"]) == 1

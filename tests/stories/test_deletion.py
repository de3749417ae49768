"""Whoever leaves leaves nothing behind, in any of the services."""

from typing import Any

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, pages, until_mailbox, until_state

pytestmark = pytest.mark.story

LETTER = b"From: ada@postbus.test\r\nSubject: Mine alone\r\n\r\nNobody else's business.\r\n"


async def test_a_deleted_tenant_is_gone_from_every_service_and_nobody_else_is(
    stack: Stack, dovecot: Dovecot, postfix: Postfix
) -> None:
    async with stack.person() as ada, stack.person() as eve:
        found: dict[str, str] = {}
        for person in (ada, eve):
            user = dovecot.new_user()
            dovecot.append(user, "INBOX", [LETTER] * 3)
            account = await connect(person, user, dovecot, postfix)
            await until_state(person, account, "live")
            inbox = (await until_mailbox(person, account))["id"]
            await until(
                "the messages are listed",
                lambda person=person, inbox=inbox: pages(person, "/messages", mailbox_id=inbox),
            )
            letter = {"account_id": account, "to": [user], "subject": "x", "text": "x"}
            sent = await person.post("/submissions", json=letter)
            assert sent.status_code == 202, sent.text
            found[person.headers["Authorization"]] = inbox

        async def searchable() -> list[Any]:
            answer = await ada.get("/search", params={"q": "business"})
            return answer.json()["items"] if answer.status_code == 200 else []

        await until("the words are found", searchable)
        answer = await ada.post("/tenant/deletion", json={"password": "correct horse battery"})
        assert answer.status_code == 202, answer.text
        proof = answer.json()["proof"].removeprefix("/api/v1")

        left: list[Any] = []

        async def gone() -> dict[str, Any] | None:
            async with stack.client() as anybody:
                answer = await anybody.get(proof)
                assert answer.status_code in (200, 503), answer.text
                said = answer.json()
                left.append(said)
                return said if answer.status_code == 200 and said["done"] else None

        try:
            said = await until("nothing is left", gone)
        except AssertionError:
            raise AssertionError(f"this is left: {left[-1]}") from None
        assert said["rows"] == {"api": 0, "sync": 0, "sender": 0, "indexer": 0}
        assert said["dead_letters"] == 0
        assert (await ada.get("/me")).status_code == 401
        inbox = found[eve.headers["Authorization"]]
        assert len(await pages(eve, "/messages", mailbox_id=inbox)) >= 3

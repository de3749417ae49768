"""Every message of the corpora, broken ones too: none is lost, every one opens, each is found."""

import httpx
import pytest

from tests.servers.dovecot import Dovecot
from tests.stories.real_mail import compare, documents, filled
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, until_state

pytestmark = pytest.mark.story


async def test_every_real_message_is_kept_listed_opened_and_found_once(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user, counts = filled(dovecot)
    account = await connect(person, user, dovecot)
    await until_state(person, account, "live", seconds=240)
    rows = await compare(person, dovecot, user, account, counts)

    async def searchable() -> bool:
        return await documents(stack, account) == len(rows)

    await until("every message is in the index", searchable, seconds=120)
    for row in rows[:: max(1, len(rows) // 50)]:
        if not row["message_id"]:
            continue
        answer = await person.get("/search", params={"q": f'rfc822msgid:"{row["message_id"]}"'})
        assert answer.status_code == 200, answer.text
        found = [message["id"] for message in answer.json()["items"]]
        assert found.count(row["id"]) == 1, (row["message_id"], found)

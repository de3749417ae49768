"""A message as large as servers take, from whoever writes it to whoever gets it."""

import asyncio
import hashlib
import os
from email import message_from_bytes, policy
from typing import Any

import httpx
import psutil
import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, until
from tests.stories.walk import connect, until_state

pytestmark = pytest.mark.story

MB = 1000 * 1000
#: In base64, with a line break after each 76 characters, 50 MB.
FILE_BYTES = 36_500_000
#: The face passes pieces on. The hand composes and sends a message at a time, in memory: its file,
#: the form of it that is composed, and the pieces of that.
MAY_GROW = {"api": 24 * MB, "sender": 400 * MB}


async def test_fifty_megabytes_are_uploaded_sent_and_received_as_they_were(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot, postfix: Postfix
) -> None:
    ada, grace = dovecot.new_user("ada"), dovecot.new_user("grace")
    account = await connect(person, ada, dovecot, postfix)
    await until_state(person, account, "live")
    content = os.urandom(FILE_BYTES)
    digest = hashlib.sha256(content).digest()
    watched = {name: psutil.Process(stack.pids()[name]) for name in MAY_GROW}
    before = {name: process.memory_info().rss for name, process in watched.items()}
    highest = dict(before)

    async def watch() -> None:
        while True:
            for name, process in watched.items():
                highest[name] = max(highest[name], process.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    uploaded = await person.post("/uploads", files={"file": ("film.bin", content)}, timeout=120)
    assert uploaded.status_code == 201, uploaded.text
    del content
    sent = await person.post(
        "/submissions",
        json={
            "account_id": account,
            "to": [grace],
            "subject": "Film",
            "text": "See the film.",
            "attachments": [{"upload_id": uploaded.json()["id"]}],
        },
    )
    assert sent.status_code == 202, sent.text
    place = f"/submissions/{sent.json()['id']}"

    async def accepted() -> dict[str, Any] | None:
        found = (await person.get(place)).json()
        assert found["state"] not in ("failed", "uncertain"), found
        return found if found["state"] == "accepted" else None

    await until("it is accepted", accepted, seconds=300)

    async def arrived() -> list[bytes]:
        return list((await asyncio.to_thread(dovecot.messages, grace)).values())

    (raw,) = await until("it arrives", arrived, seconds=120)
    assert len(raw) > 49.9 * MB
    (part,) = message_from_bytes(raw, policy=policy.default).iter_attachments()
    found = part.get_content()
    assert hashlib.sha256(found).digest() == digest

    async def filed() -> bool:
        return bool((await person.get(place)).json()["filed"])

    await until("a copy is in Sent", filed, seconds=300)
    watching.cancel()
    grown = {name: (highest[name] - before[name]) // MB for name in watched}
    assert all(more * MB < MAY_GROW[name] for name, more in grown.items()), grown

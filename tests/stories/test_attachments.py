"""What a message carries, from a real mail server to whoever opens it."""

import asyncio
import base64
import hashlib
import io
import os
import zipfile
from typing import Any

import httpx
import psutil
import pytest

from tests.servers.dovecot import Dovecot, crlf
from tests.servers.proxy import Proxy
from tests.stories.stack import Stack, until
from tests.stories.walk import connection, pages, until_state

pytestmark = pytest.mark.story

MIB = 1024 * 1024
LARGE_BYTES = 60 * MIB
#: What one of the processes may grow by while 60 MB go through it.
MAY_GROW_BYTES = 24 * MIB

PICTURE = os.urandom(40_000)
BOOK = os.urandom(700_000)


def letter(subject: str, *files: tuple[str, bytes]) -> bytes:
    """A message with these attached; written by hand, for bytes are what it is about."""
    parts = [
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee the files.\r\n",
        *(
            b"--b\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Disposition: attachment; filename=" + name.encode() + b"\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(content).replace(b"\n", b"\r\n")
            for name, content in files
        ),
    ]
    return (
        b"From: Ada <ada@postbus.test>\r\nTo: Grace <grace@postbus.test>\r\n"
        b"Subject: " + subject.encode() + b"\r\nMIME-Version: 1.0\r\n"
        b"Message-ID: <" + subject.encode() + b"@postbus.test>\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"".join(parts) + b"--b--\r\n"
    )


async def connect(person: httpx.AsyncClient, user: str, port: int) -> str:
    server = connection(port, user)
    answer = await person.post(
        "/accounts",
        json={"name": "Files", "email": user, "imap": server, "smtp": server | {"port": 1}},
    )
    assert answer.status_code == 201, answer.text
    await until_state(person, answer.json()["id"], "live")
    return answer.json()["id"]


async def until_listed(
    person: httpx.AsyncClient, account: str, count: int
) -> dict[str, dict[str, Any]]:
    async def check() -> dict[str, dict[str, Any]] | None:
        found = await pages(person, "/messages", account_id=account)
        return {each["subject"]: each for each in found} if len(found) == count else None

    return await until(f"{count} messages are listed", check, seconds=120)


async def test_files_come_from_the_server_once_and_then_from_here(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    small = letter("Small", ("picture.bin", PICTURE))
    large = letter("Large", ("picture.bin", PICTURE), ("book.bin", BOOK))
    dovecot.append(user, "INBOX", [small, large])
    async with Proxy.to(dovecot.imap_port) as proxy:
        account = await connect(person, user, proxy.port)
        messages = await until_listed(person, account, 2)
        expected = {
            f"/messages/{messages['Small']['id']}/attachments/1": PICTURE,
            f"/messages/{messages['Small']['id']}/raw": small,
            f"/messages/{messages['Large']['id']}/attachments/1": PICTURE,
            f"/messages/{messages['Large']['id']}/attachments/2": BOOK,
            f"/messages/{messages['Large']['id']}/raw": large,
        }
        unread = letter("Unread", ("late.bin", PICTURE))
        dovecot.append(user, "INBOX", [unread])
        await until_listed(person, account, 3)

        for path, content in expected.items():
            answer = await person.get(path)
            assert answer.status_code == 200, answer.text
            assert answer.content == content, path

        book = f"/messages/{messages['Large']['id']}/attachments/2"
        ranged = await person.get(book, headers={"Range": "bytes=300000-300099"})
        assert (ranged.status_code, ranged.content) == (206, BOOK[300_000:300_100])
        zipped = await person.get(f"/messages/{messages['Large']['id']}/attachments.zip")
        with zipfile.ZipFile(io.BytesIO(zipped.content)) as archive:
            assert archive.read("book.bin") == BOOK
            assert archive.namelist() == ["picture.bin", "book.bin"]

        # Flags are the owner's: having opened files is no reading of ours.
        assert all("\\Seen" not in flags for flags in dovecot.flags(user).values())
        messages = await until_listed(person, account, 3)

    # The server is away now: there is no way to it.
    await until_state(person, account, "unreachable")
    for path, content in expected.items():
        answer = await person.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.content == content, path
    unread_path = f"/messages/{messages['Unread']['id']}"
    for path in ("/attachments/1", "/raw", "/attachments.zip"):
        answer = await person.get(unread_path + path)
        assert (answer.status_code, answer.json()["code"]) == (503, "attachment_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
    async with stack.person() as eve:
        for path in (*expected, f"{unread_path}/raw"):
            assert (await eve.get(path)).status_code == 404


async def test_a_large_file_flows_through_without_being_held(
    stack: Stack, person: httpx.AsyncClient, dovecot: Dovecot
) -> None:
    user = dovecot.new_user()
    content = os.urandom(LARGE_BYTES)
    digest = hashlib.sha256(content).digest()
    raw = letter("Warm", ("warm.bin", os.urandom(2 * MIB)))
    dovecot.append(user, "INBOX", [raw])
    huge = letter("Huge", ("huge.bin", content))
    raw_digest = hashlib.sha256(crlf(huge)).digest()
    dovecot.append(user, "INBOX", [huge])
    del content, huge
    account = await connect(person, user, dovecot.imap_port)
    messages = await until_listed(person, account, 2)
    # Everything that is loaded at first use is loaded.
    for path in ("attachments/1", "raw", "attachments.zip"):
        assert (await person.get(f"/messages/{messages['Warm']['id']}/{path}")).status_code == 200

    pids = stack.pids()
    watched = {name: psutil.Process(pids[name]) for name in ("api", "sync-answer")}
    before = {name: process.memory_info().rss for name, process in watched.items()}
    highest = dict(before)

    async def watch() -> None:
        while True:
            for name, process in watched.items():
                highest[name] = max(highest[name], process.memory_info().rss)
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    try:
        for path, expected in (
            ("attachments/1", digest),  # from the server
            ("attachments/1", digest),  # from the bucket
            ("raw", raw_digest),
        ):
            found = hashlib.sha256()
            url = f"/messages/{messages['Huge']['id']}/{path}"
            async with person.stream("GET", url, timeout=120) as answer:
                assert answer.status_code == 200
                async for data in answer.aiter_bytes():
                    found.update(data)
            assert found.digest() == expected, path
        url = f"/messages/{messages['Huge']['id']}/attachments.zip"
        async with person.stream("GET", url, timeout=120) as answer:
            size = 0
            async for data in answer.aiter_bytes():
                size += len(data)
            assert size > LARGE_BYTES
    finally:
        watching.cancel()
    grown = {name: highest[name] - before[name] for name in watched}
    assert all(more < MAY_GROW_BYTES for more in grown.values()), grown

"""Leaving a list by one request, and what is said where that cannot be had."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from services.api.actions.leave_list import leave_list
from services.api.domain.refusals import ListNotLeft, NoOneClick
from services.api.web import lines
from shared.contracts.content import MailingList
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import ContentAnswer, MessageContent, ReadContent
from shared.dial import Policy
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.servers.certificate import self_signed

LOOPBACK = Policy((ip_network("127.0.0.0/8"),))


@asynccontextmanager
async def list_that_says(
    answer: bytes, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[MailingList, list[bytes]]]:
    """A list's server that vouches for its name, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = (
            int(line.partition(b":")[2])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        asked.append(head + await reader.readexactly(length))
        writer.write(answer)
        writer.close()

    certificate, key = self_signed(directory)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(lines, "tls_context", lambda: trusting)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield MailingList(one_click=f"https://127.0.0.1:{port}/u/7f3a?who=ada"), asked


async def leave(told: MailingList | None, policy: Policy = LOOPBACK) -> None:
    await leave_list(told, policy=policy, dial_seconds=10, seconds=10)


async def test_a_list_is_left_by_the_one_request_that_it_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nDone"
    async with list_that_says(done, tmp_path, monkeypatch) as (told, asked):
        await leave(told)
    (request,) = asked
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /u/7f3a?who=ada HTTP/1.1\r\n")
    assert b"application/x-www-form-urlencoded" in head
    assert body == b"List-Unsubscribe=One-Click"
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
    assert not names & {b"cookie", b"authorization", b"referer", b"origin"}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: https://example.org/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"",
    ],
)
async def test_a_list_that_does_not_say_so_was_not_left(
    answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with list_that_says(answer, tmp_path, monkeypatch) as (told, _):
        with pytest.raises(ListNotLeft):
            await leave(told)


async def test_our_own_network_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with list_that_says(b"", tmp_path, monkeypatch) as (told, asked):
        with pytest.raises(ListNotLeft) as refused:
            await leave(told, Policy())
    assert "AddressRefused" in str(refused.value.__cause__)
    assert asked == []


@pytest.mark.parametrize(
    "told",
    [
        None,
        MailingList(unsubscribe=("https://example.org/",)),
        MailingList(one_click="http://e.org/"),
    ],
)
async def test_nothing_is_asked_where_one_request_is_not_enough(told: MailingList | None) -> None:
    with pytest.raises(NoOneClick):
        await leave(told)


async def test_who_reads_a_message_leaves_its_list(
    api: Api, ada: Person, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = ground.message("News")
    await api.hears(ground.page(message))
    path = f"/messages/{shown(Kind.MESSAGE, message.message_id)}:unsubscribe"
    for told, status, code in (
        (MailingList(list_id="news.example.org"), 409, "no_one_click"),
        (MailingList(one_click="https://127.0.0.1:8443/"), 502, "list_not_left"),
    ):
        content = MessageContent(
            text="News",
            html=None,
            headers=(),
            text_characters=4,
            html_characters=0,
            mailing_list=told,
        )
        async with api.answering("sync", ReadContent, ContentAnswer(content=content)):
            answer = await ada.http.post(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

"""What a person waits for: new mail to show up, and a message to open."""

import asyncio
import contextlib
import email.policy
import imaplib
import smtplib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import httpx
import msgspec

from benchmarks.sync_bench.platform import Platform
from tests.servers.dovecot import PASSWORD, Dovecot

NEW_MAIL_SECONDS = 60.0
BETWEEN_LETTERS_SECONDS = 0.1
BETWEEN_OPENINGS_SECONDS = 0.02


@dataclass(frozen=True)
class Waited:
    """Milliseconds that something took, many times."""

    milliseconds: Sequence[float]

    def at(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def __str__(self) -> str:
        return (
            f"p50 {self.at(0.5):,.1f} ms, p95 {self.at(0.95):,.1f} ms, "
            f"longest {max(self.milliseconds):,.1f} ms of {len(self.milliseconds)}"
        )


@dataclass(frozen=True)
class NewMail:
    """How long after its delivery a letter is told of, and by whom."""

    by_us: Waited  # by the event stream
    by_server: Waited  # by the mail server, to a connection that does nothing but IDLE


async def new_mail(
    platform: Platform, port: int, user: str, deliver: Callable[[str], float], letters: int
) -> NewMail:
    """From delivery until we told of a letter, and until the mail server itself did."""
    async with idling(port, user) as moments:
        by_us, by_server = await told_of(platform, deliver, letters, moments)
    return NewMail(by_us, by_server)


async def told_of(
    platform: Platform,
    deliver: Callable[[str], float],
    letters: int,
    server: asyncio.Queue[float] | None = None,
) -> tuple[Waited, Waited]:
    """Deliver letters one after the other; `deliver` answers when the server had taken it."""
    by_us: list[float] = []
    by_server: list[float] = []
    async with _told(platform.person) as told:
        for number in range(letters):
            subject = f"letter {number} of {time.time_ns()}"
            delivered = await asyncio.to_thread(deliver, subject)
            async with asyncio.timeout(NEW_MAIL_SECONDS):
                seen = await told.wait_for(subject)
                heard = await server.get() if server else delivered
            by_us.append(max(0.0, seen - delivered) * 1000)
            by_server.append(max(0.0, heard - delivered) * 1000)
            await asyncio.sleep(BETWEEN_LETTERS_SECONDS)
    return Waited(by_us), Waited(by_server)


@asynccontextmanager
async def idling(port: int, user: str) -> AsyncGenerator[asyncio.Queue[float]]:
    """The moments at which the server says EXISTS."""
    moments: asyncio.Queue[float] = asyncio.Queue()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def until(wanted: bytes) -> None:
        while wanted not in (line := await reader.readline()):
            if not line:
                raise ConnectionError(f"the server went away before {wanted!r}")

    async def listen() -> None:
        while line := await reader.readline():
            if line.rstrip().endswith(b" EXISTS"):
                moments.put_nowait(time.monotonic())

    await until(b"* OK")
    for number, command in enumerate((f'LOGIN {user} "{PASSWORD}"', "SELECT INBOX")):
        writer.write(f"a{number} {command}\r\n".encode())
        await until(f"a{number} OK".encode())
    writer.write(b"z IDLE\r\n")
    await until(b"+ ")
    listening = asyncio.create_task(listen())
    try:
        yield moments
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()


@dataclass
class _Told:
    """When each subject was told of."""

    seen: dict[str, float] = field(default_factory=dict[str, float])
    grew: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, subject: str) -> float:
        while subject not in self.seen:
            self.grew.clear()
            await self.grew.wait()
        return self.seen[subject]


@asynccontextmanager
async def _told(person: httpx.AsyncClient) -> AsyncGenerator[_Told]:
    told = _Told()
    ready = asyncio.Event()

    async def listen() -> None:
        async with person.stream(
            "GET",
            "/events",
            params={"types": "message.received"},
            headers={"Accept": "text/event-stream"},
            timeout=None,
        ) as answer:
            answer.raise_for_status()
            ready.set()
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    event: dict[str, Any] = msgspec.json.decode(line[6:])
                    told.seen[event["data"].get("subject", "")] = time.monotonic()
                    told.grew.set()

    listening = asyncio.create_task(listen())
    try:
        await ready.wait()
        yield told
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


def by_lmtp(dovecot: Dovecot, user: str) -> Callable[[str], float]:
    """Delivers as a mail system does."""

    def deliver(subject: str) -> float:
        with smtplib.LMTP("127.0.0.1", dovecot.lmtp_port) as lmtp:
            lmtp.send_message(_letter(user, subject), "somebody@example.org", [user])
            return time.monotonic()

    return deliver


def by_append(connection: imaplib.IMAP4, user: str) -> Callable[[str], float]:
    """Delivers as another mail program of the user does, for servers without LMTP."""

    def deliver(subject: str) -> float:
        raw = _letter(user, subject).as_bytes(policy=email.policy.SMTP)
        answer, said = connection.append("INBOX", "", "", raw)
        if answer != "OK":
            raise ConnectionError(f"APPEND: {said}")
        return time.monotonic()

    return deliver


def _letter(user: str, subject: str) -> EmailMessage:
    letter = EmailMessage()
    letter["From"] = "Somebody <somebody@example.org>"
    letter["To"] = user
    letter["Subject"] = subject
    letter["Message-ID"] = f"<{time.time_ns()}@example.org>"
    letter.set_content("Shall we meet on Friday?\n" * 20)
    return letter


@asynccontextmanager
async def opening(person: httpx.AsyncClient, account: str) -> AsyncGenerator[list[float]]:
    """Open the account's messages one after the other while inside; the milliseconds of each."""
    answer = await person.get("/messages", params={"account_id": account, "limit": 100})
    answer.raise_for_status()
    ids = [item["id"] for item in answer.json()["items"]]
    taken: list[float] = []

    async def open_all() -> None:
        while True:
            for message in ids:
                began = time.perf_counter()
                opened = await person.get(f"/messages/{message}")
                opened.raise_for_status()
                taken.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(BETWEEN_OPENINGS_SECONDS)

    task = asyncio.create_task(open_all())
    try:
        yield taken
    finally:
        if task.done():
            task.result()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

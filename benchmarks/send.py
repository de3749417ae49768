"""`./just bench send`: how many messages a second leave, beside what only hands them over.

All in one run, into one smtp-sink: smtp-source; aiosmtplib alone, over connections that it keeps;
and Postbus, from POST /submissions until its API says `accepted`, with every stage of durability
on. The last line is JSON for programs.
"""

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from uuid import UUID

import aiosmtplib
import nats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import Processor, hardware
from benchmarks.say import say, title
from benchmarks.sync_bench.platform import Platform, running_platform, uuid_of
from shared.contracts.account import ConnectSender, Endpoint, Security
from shared.contracts.envelope import encode
from shared.contracts.ids import Kind, read
from shared.db import Connection
from shared.seal import Credential, Destination, OpeningKeys, seal

CONNECTIONS = 32
TEXT = "At noon, where we met last time?\n" * 40
SETTINGS = {
    "SENDER_ATTEMPTS_AT_ONCE": "64",
    "SENDER_ATTEMPTS_AT_ONCE_PER_ACCOUNT": str(CONNECTIONS),
    "API_SENDS_PER_HOUR": "10000000",
    "API_WRITES_PER_MINUTE": "10000000",
    "API_READS_PER_MINUTE": "10000000",
    "API_CLIENT_REQUESTS_PER_MINUTE": "10000000",
    "LOG_LEVEL": "WARNING",
}


@asynccontextmanager
async def smtp_sink() -> AsyncGenerator[int]:
    """A server that takes everything and keeps nothing."""
    program = shutil.which("smtp-sink")
    if program is None:
        raise SystemExit("smtp-sink is not here; it comes with Postfix.")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = await asyncio.create_subprocess_exec(
        program, "-u", "nobody", f"127.0.0.1:{port}", "512", stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield port
    finally:
        process.terminate()
        await process.wait()


async def smtp_source(port: int, count: int) -> float:
    """Messages a second that Postfix's own load generator hands over."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        "smtp-source",
        *("-s", str(CONNECTIONS), "-m", str(count), "-l", str(len(TEXT)), "-d"),
        *("-f", "ada@example.com", "-t", "bob@example.org", f"127.0.0.1:{port}"),
    )
    await process.wait()
    return count / (time.perf_counter() - began)


async def bare_aiosmtplib(port: int, count: int) -> float:
    """Messages a second that the library hands over, with nothing kept and nothing promised."""
    message = EmailMessage()
    message["From"], message["To"] = "ada@example.com", "bob@example.org"
    message["Subject"] = "Lunch"
    message.set_content(TEXT)
    raw = message.as_bytes().replace(b"\n", b"\r\n")
    left = iter(range(count))

    async def one() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for _ in left:
                await client.sendmail("ada@example.com", ["bob@example.org"], raw)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - began)


@dataclass(frozen=True)
class Poster:
    """Posts over kept connections: a client library would be measured along with the platform."""

    port: int
    request: bytes

    @classmethod
    def of(cls, platform: Platform, account: str) -> "Poster":
        body = json.dumps(
            {"account_id": account, "to": ["bob@example.org"], "subject": "Lunch", "text": TEXT}
        ).encode()
        head = (
            "POST /api/v1/submissions HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: {platform.person.headers['Authorization']}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return cls(platform.stack.port, head.encode() + body)

    async def post(self, count: int, connections: int) -> str:
        """Hand so many over; the id of the last."""
        left = iter(range(count))
        taken = b""

        async def one() -> None:
            nonlocal taken
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            for _ in left:
                writer.write(self.request)
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                if not head.startswith("HTTP/1.1 202"):
                    raise SystemExit(f"not taken: {head}")
                length = next(
                    int(line.partition(":")[2])
                    for line in head.lower().splitlines()
                    if line.startswith("content-length:")
                )
                taken = await reader.readexactly(length)
            writer.close()

        await asyncio.gather(*(one() for _ in range(connections)))
        return str(json.loads(taken)["id"])


async def accepted(database: Connection, account: str) -> int:
    return int(
        await database.fetchval(
            "SELECT count(*) FROM api.submission WHERE account_id = $1 AND state = 'accepted'",
            uuid_of(account),
        )
    )


async def until_accepted(database: Connection, account: str, count: int) -> None:
    async with asyncio.timeout(600):
        while await accepted(database, account) < count:
            await asyncio.sleep(0.1)  # counting thousands takes from what is measured


async def until_one_is_accepted(database: Connection, tenant_id: UUID, submission: str) -> None:
    """Found by its key, so that looking costs next to nothing."""
    submission_id = read(Kind.SUBMISSION, submission)
    query = "SELECT state FROM api.submission WHERE tenant_id = $1 AND submission_id = $2"
    async with asyncio.timeout(60):
        while await database.fetchval(query, tenant_id, submission_id) != "accepted":
            await asyncio.sleep(0.001)


async def tenant_of(database: Connection, account: str) -> UUID:
    return await database.fetchval(
        "SELECT tenant_id FROM api.account WHERE account_id = $1", uuid_of(account)
    )


async def send_through(platform: Platform, account: str, port: int) -> None:
    """Have the account's mail go to the sink, which knows no AUTH: sign in as nobody."""
    account_id = uuid_of(account)
    tenant_id = await tenant_of(platform.database, account)
    endpoint = Endpoint(
        host="127.0.0.1", port=port, security=Security.NONE, username="", verify_certificate=False
    )
    place = Destination.of(endpoint, tenant_id=tenant_id, account_id=account_id, purpose="smtp")
    keys = OpeningKeys.load(platform.stack.home / "secrets" / "seal-sender")
    command = ConnectSender(
        tenant_id=tenant_id,
        account_id=account_id,
        version=1000,
        email="ada@example.com",
        endpoint=endpoint,
        sealed=seal(Credential.at(place, "none"), keys),
    )
    client = await nats.connect(platform.stack.bus_admin_url)
    await client.jetstream().publish(command.channel, encode(command))
    await client.close()
    async with asyncio.timeout(30):
        while not await platform.database.fetchval(
            "SELECT count(*) FROM sender.account WHERE account_id = $1 AND version = 1000",
            account_id,
        ):
            await asyncio.sleep(0.05)


async def postbus(port: int, count: int, singles: int) -> tuple[float, list[float]]:
    """Submissions a second end to end, and the milliseconds of single ones."""
    async with running_platform(**SETTINGS) as platform:
        account = await platform.connect(1, "ada@example.com")
        await send_through(platform, account, port)
        poster = Poster.of(platform, account)
        tenant_id = await tenant_of(platform.database, account)
        await poster.post(50, 2)
        await until_accepted(platform.database, account, 50)
        before = Processor.now(platform.pids)
        began = time.perf_counter()
        await poster.post(count, CONNECTIONS)
        posted = time.perf_counter() - began
        await until_accepted(platform.database, account, 50 + count)
        took = time.perf_counter() - began
        say(f"posted in {posted:.1f} s, all accepted after {took:.1f} s")
        used = Processor.now(platform.pids).since(before)
        for name, seconds in sorted(used.items(), key=lambda one: -one[1]):
            say(f"  {name:<14} {1000 * seconds / count:6.2f} ms of processor for each")

        milliseconds: list[float] = []
        for _ in range(singles):
            began = time.perf_counter()
            submission = await poster.post(1, 1)
            await until_one_is_accepted(platform.database, tenant_id, submission)
            milliseconds.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(0.02)  # each of them alone
        return count / took, milliseconds


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--singles", type=int, default=100)
    asked = parser.parse_args()
    measured_on = hardware()
    async with smtp_sink() as port:
        title("smtp-source")
        source = await smtp_source(port, 4 * asked.messages)
        say(f"{source:.0f}/s")
        title("aiosmtplib, pooled")
        library = await bare_aiosmtplib(port, asked.messages)
        say(f"{library:.0f}/s")
        title("Postbus, from POST to accepted")
        rate, milliseconds = await postbus(port, asked.messages, asked.singles)
        p50 = statistics.median(milliseconds)
        say(f"{rate:.0f}/s; a single one {p50:.0f} ms (p50), {max(milliseconds):.0f} ms at most")
    say(
        json.dumps(
            {
                "smtp_source_per_second": round(source),
                "aiosmtplib_per_second": round(library),
                "submissions_per_second": round(rate, 1),
                "single_p50_milliseconds": round(p50, 1),
                "messages": asked.messages,
                "hardware": measured_on,
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())

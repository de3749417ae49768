"""The platform under many people at once: they list, open, search and send, while mail comes in.

The platform as `./just up` runs it, mailboxes in Dovecot, and nginx with the files of infra/nginx
before it where nginx is there. Each person has an account of their own and does the next thing a
moment after the last was answered; meanwhile mail comes in, accounts are looked at anew
(`POST /accounts/{id}:check`), new ones are connected, and idle connections are held open. Run by
`./just bench load`; `--users 500 --pause 10 --seconds 300` is the large one.
The last line is JSON, for programs.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import ssl
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import Processor, hardware, memory_kilobytes
from benchmarks.say import say, title
from infra.dev import programs
from tests.servers.dovecot import Dovecot
from tests.servers.nginx import Nginx
from tests.servers.postfix import Postfix
from tests.servers.process import ServerUnavailable, short_directory
from tests.stories.stack import Stack, running_stack
from tests.stories.walk import connection

PASSWORD = "correct horse battery"
WORDS = ("telescope", "marmalade", "ledger", "harbour", "violin", "quarry", "lantern", "orchard")
# Of a hundred things that somebody does.
MIX = {"accounts": 10, "list": 40, "open": 30, "search": 15, "send": 5}
AT_ONCE = 16  # when people are made
NEWCOMERS = 200  # that are connected at a time, at most
OPENING_AT_ONCE = 200
DRAIN_SECONDS = 180.0
SQL_SAMPLED = 0.02  # of all statements: what they are is written at length
LATE_SECONDS = 0.02
BUCKET_SECONDS = 15
PROBES = (programs.API_PROBES, programs.LISTEN, programs.ANSWER, programs.SENDER, programs.INDEXER)


@dataclass
class Person:
    """Somebody with an account."""

    user: str
    token: str
    account: str
    messages: list[str] = field(default_factory=list[str])


@dataclass
class Seen:
    """What was answered: how long each took, and what was no success."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter[str])
    began: float = field(default_factory=time.perf_counter)
    by_time: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def ask(self, kind: str, asking: Awaitable[httpx.Response]) -> httpx.Response | None:
        began = time.perf_counter()
        try:
            answer = await asking
        except httpx.TransportError as error:
            self.errors[f"{kind}: {type(error).__name__}"] += 1
            return None
        took = (time.perf_counter() - began) * 1000
        self.took[kind].append(took)
        self.by_time[int(began - self.began) // BUCKET_SECONDS * BUCKET_SECONDS].append(took)
        if answer.is_success:
            return answer
        self.errors[f"{kind}: {answer.status_code}"] += 1
        return None


def letter(number: int) -> bytes:
    words = " ".join(random.choices(WORDS, k=120))
    return (
        f"From: Person {number % 17} <person{number % 17}@example.org>\r\n"
        f"To: Ada <ada@postbus.test>\r\nSubject: {random.choice(WORDS)} {number}\r\n"
        f"Message-ID: <{number}.{random.getrandbits(60)}@example.org>\r\n\r\n{words}\r\n"
    ).encode()


@dataclass
class Ground:
    """What the load is put on."""

    stack: Stack
    dovecot: Dovecot
    postfix: Postfix
    client: httpx.AsyncClient
    trust: ssl.SSLContext
    door: str  # what stands before the api
    around: dict[str, int]  # processes that are no part of the platform: who asks, other servers

    def pids(self) -> dict[str, int]:
        """Each process whose processor time is said."""
        return self.stack.pids() | self.around

    async def person(self, messages: int) -> Person:
        person = await self.stranger(messages)
        person.account = (await self.connect(person)).json()["id"]
        return person

    async def stranger(self, messages: int) -> Person:
        """Somebody with a mailbox that is not connected."""
        user = self.dovecot.new_user()
        letters = [letter(number) for number in range(messages)]
        await asyncio.to_thread(self.dovecot.append, user, "INBOX", letters)
        answer = await self.client.post(
            "/auth/register", json={"email": user, "password": PASSWORD}
        )
        answer.raise_for_status()
        return Person(user, answer.json()["access_token"], "")

    async def copied(self, person: Person) -> int:
        """How many messages of its first copy are there."""
        answer = await self.client.get(f"/accounts/{person.account}", headers=bearer(person))
        answer.raise_for_status()
        progress = answer.json()["progress"]
        return progress["done"] if progress else 0

    async def connect(self, person: Person) -> httpx.Response:
        answer = await self.client.post(
            "/accounts",
            headers=bearer(person),
            json={
                "name": "Load",
                "email": person.user,
                "imap": connection(self.dovecot.imap_port, person.user),
                "smtp": connection(self.postfix.submission_port, person.user),
            },
        )
        answer.raise_for_status()
        return answer

    async def settled(self, person: Person) -> None:
        """Wait for its first copy; asked once a second, for this is no part of the load."""
        async with asyncio.timeout(600):
            while True:
                answer = await self.client.get(
                    f"/accounts/{person.account}", headers=bearer(person)
                )
                if answer.is_success and answer.json()["state"] == "live":
                    return
                await asyncio.sleep(1)


def bearer(person: Person) -> dict[str, str]:
    return {"Authorization": f"Bearer {person.token}"}


@asynccontextmanager
async def ground(users: int) -> AsyncGenerator[Ground]:
    """The platform, the mailboxes, and the door if there is one."""
    async with AsyncExitStack() as made:
        folder = made.enter_context(short_directory("postbus-load-"))
        # Every account has some connections of its own.
        extra = f"default_process_limit = {users * 6 + 200}\nmail_max_userip_connections = 50\n"
        dovecot = made.enter_context(Dovecot(folder, extra=extra))
        queue = made.enter_context(short_directory("postbus-queue-"))
        # As Debian's: as many sessions as are usual, and not the few of a test.
        postfix = made.enter_context(Postfix(queue, dovecot, extra="default_process_limit = 100"))
        stack = await made.enter_async_context(running_stack(LOG_LEVEL="WARNING"))
        url, trust, before = stack.url, ssl.create_default_context(), "nothing"
        around = {"people": os.getpid(), "dovecot": dovecot.pid, "postfix": postfix.pid}
        try:
            Nginx.require()
        except ServerUnavailable as reason:
            say(f"Without nginx: {reason}")
        else:
            door = made.enter_context(short_directory("postbus-door-"))
            any_rate = {
                "NGINX_API_PER_SECOND": "100000",
                "NGINX_API_BURST": "100000",
                "NGINX_AUTH_PER_MINUTE": "100000",
                "NGINX_COMPOSE_PER_MINUTE": "100000",
                "NGINX_CONNECTIONS": "20000",
            }
            nginx = made.enter_context(Nginx(door, stack.url, **any_rate))
            url, trust, before = nginx.url, nginx.trust, "nginx"
            around["nginx"] = nginx.pid
        client = await made.enter_async_context(
            httpx.AsyncClient(
                base_url=f"{url}/api/v1",
                verify=trust,
                timeout=60,
                limits=httpx.Limits(
                    max_connections=users + NEWCOMERS, max_keepalive_connections=None
                ),
            )
        )
        yield Ground(stack, dovecot, postfix, client, trust, before, around)


async def made(place: Ground, users: int, messages: int) -> list[Person]:
    """So many people, each with a mailbox that is copied."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one() -> Person:
        async with turn:
            return await place.person(messages)

    people = await asyncio.gather(*(one() for _ in range(users)))
    for person in people:
        await place.settled(person)
    return list(people)


async def acts(place: Ground, person: Person, seen: Seen, pause: float, until: float) -> None:
    """What somebody does: one thing after the other, with a moment in between."""
    client, headers = place.client, bearer(person)
    await asyncio.sleep(random.uniform(0, pause))
    while time.monotonic() < until:
        kind = random.choices(list(MIX), weights=list(MIX.values()))[0]
        if kind == "open" and not person.messages:
            kind = "list"
        match kind:
            case "accounts":
                await seen.ask(kind, client.get("/accounts", headers=headers))
            case "list":
                query = {"account_id": person.account, "limit": 50}
                answer = await seen.ask(
                    kind, client.get("/messages", params=query, headers=headers)
                )
                if answer is not None:
                    person.messages = [one["id"] for one in answer.json()["items"]]
            case "open":
                path = f"/messages/{random.choice(person.messages)}"
                await seen.ask(kind, client.get(path, headers=headers))
            case "search":
                query = {"q": random.choice(WORDS)}
                await seen.ask(kind, client.get("/search", params=query, headers=headers))
            case _:
                body = {
                    "account_id": person.account,
                    "to": [person.user],
                    "subject": "At noon",
                    "text": "Where we met last time?\n" * 20,
                }
                await seen.ask(kind, client.post("/submissions", json=body, headers=headers))
        await asyncio.sleep(random.uniform(0.5, 1.5) * pause)


async def at_a_rate(per_minute: float, until: float, work: Callable[[], Awaitable[object]]) -> int:
    """Do something so many times a minute, however long each takes; how many were begun."""
    if per_minute <= 0:
        return 0
    begun = 0
    due = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(_done(work))
            begun += 1
            due += 60 / per_minute
    return begun


async def _done(work: Callable[[], Awaitable[object]]) -> None:
    await work()


@asynccontextmanager
async def held_open(url: httpx.URL, count: int, trust: ssl.SSLContext) -> AsyncGenerator[int]:
    """So many connections that were answered once and say no more; how many were had."""
    turn = asyncio.Semaphore(OPENING_AT_ONCE)
    writers: list[asyncio.StreamWriter] = []

    async def one() -> None:
        async with turn:
            with contextlib.suppress(OSError, TimeoutError):
                secure = trust if url.scheme == "https" else None
                name = url.host if secure else None
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(url.host, url.port, ssl=secure, server_hostname=name),
                    30,
                )
                writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                writers.append(writer)

    await asyncio.gather(*(one() for _ in range(count)))
    try:
        yield len(writers)
    finally:
        for writer in writers:
            writer.close()


async def backlog(stack: Stack) -> dict[str, float]:
    """What waits in outboxes, for consumers, and to be sent."""
    counted: dict[str, float] = dict.fromkeys(("outbox", "consumers", "submissions"), 0.0)
    names = {
        "postbus_bus_outbox_waiting_events": "outbox",
        "postbus_bus_consumer_pending_messages": "consumers",
        "postbus_sender_submissions_waiting": "submissions",
    }
    async with httpx.AsyncClient(timeout=30) as client:
        for offset in PROBES:
            text = (await client.get(f"http://127.0.0.1:{stack.port + offset}/metrics")).text
            for line in text.splitlines():
                name = names.get(line.partition("{")[0].partition(" ")[0])
                if name:
                    counted[name] = max(counted[name], float(line.rpartition(" ")[2]))
    return counted


async def until_nothing_waits(stack: Stack) -> float | None:
    """Seconds after the load until no backlog is left, as metrics tell it; None: it stays."""
    began = time.monotonic()
    while time.monotonic() - began < DRAIN_SECONDS:
        if not any((await backlog(stack)).values()):
            return round(time.monotonic() - began, 1)
        await asyncio.sleep(1)
    return None


def memory(stack: Stack) -> dict[str, float]:
    """Megabytes of each process."""
    return {
        name: round(memory_kilobytes(pid) / 1000)
        for name, pid in sorted(stack.pids().items())
        if name != "postgres"
    }


async def each_minute(stack: Stack, until: float) -> list[float]:
    """Megabytes of all processes together, a minute after the other."""
    counted: list[float] = []
    while time.monotonic() < until:
        counted.append(sum(memory(stack).values()))
        await asyncio.sleep(min(60.0, max(0.0, until - time.monotonic())))
    return counted


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


@asynccontextmanager
async def sampled_statements(stack: Stack) -> AsyncGenerator[list[float]]:
    """How many ms statements took while inside, one in fifty of them; known when it is left.

    PostgreSQL itself writes them into its log.
    """
    log = stack.home / "logs/postgres.log"
    took: list[float] = []
    database = await asyncpg.connect(stack.superuser_url)
    try:
        await database.execute(f"ALTER SYSTEM SET log_statement_sample_rate = {SQL_SAMPLED}")
        await database.execute("ALTER SYSTEM SET log_parameter_max_length = 0")
        await database.execute("ALTER SYSTEM SET log_min_duration_sample = 0")
        begins = log.stat().st_size
        await database.execute("SELECT pg_reload_conf()")
        yield took
        await database.execute("ALTER SYSTEM RESET log_min_duration_sample")
        await database.execute("SELECT pg_reload_conf()")
    finally:
        await database.close()
    with log.open("rb") as said:
        said.seek(begins)
        # Parsing and binding have lines of their own; COMMIT is a statement, with its fsync.
        found = re.findall(rb"duration: ([0-9.]+) ms  (?:execute|statement)", said.read())
    took.extend(float(each) for each in found)


@asynccontextmanager
async def own_lateness() -> AsyncGenerator[list[float]]:
    """How many ms later than they wanted the people here woke: what they add to each answer."""
    late: list[float] = []
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            due = loop.time() + LATE_SECONDS
            await asyncio.sleep(LATE_SECONDS)
            late.append((loop.time() - due) * 1000)

    watching = asyncio.create_task(watch())
    try:
        yield late
    finally:
        watching.cancel()


async def measure(given: argparse.Namespace) -> dict[str, object]:
    async with ground(given.users) as place:
        title(f"{given.users} people, {given.messages} messages each, behind {place.door}")
        people = await made(place, given.users, given.messages)
        large = [await place.stranger(given.copy_messages) for _ in range(given.copies)]
        url = place.client.base_url
        seen = Seen()
        async with (
            held_open(url, given.connections, place.trust) as held,
            sampled_statements(place.stack) as statements,
            own_lateness() as late,
        ):
            say(f"{held} connections are held open")
            pids = place.pids()
            processor, memory_before = Processor.now(pids), memory(place.stack)
            for stranger in large:
                stranger.account = (await place.connect(stranger)).json()["id"]
            until = time.monotonic() + given.seconds

            async def mail_comes() -> None:
                person = random.choice(people)
                letters = [letter(random.getrandbits(30))]
                await asyncio.to_thread(place.dovecot.append, person.user, "INBOX", letters)

            async def checks() -> None:
                person = random.choice(people)
                path = f"/accounts/{person.account}:check"
                await seen.ask("sync", place.client.post(path, headers=bearer(person)))

            async def connects() -> None:
                newcomer = await place.person(given.messages)
                await place.settled(newcomer)

            async with asyncio.TaskGroup() as group:
                for person in people:
                    group.create_task(acts(place, person, seen, given.pause, until))
                mail = group.create_task(at_a_rate(given.mail, until, mail_comes))
                syncs = group.create_task(at_a_rate(given.syncs, until, checks))
                newcomers = group.create_task(at_a_rate(given.newcomers, until, connects))
                minutes = group.create_task(each_minute(place.stack, until))
            came, synced, connected = mail.result(), syncs.result(), newcomers.result()
            used = Processor.now(pids).since(processor)
            copied = sum([await place.copied(stranger) for stranger in large])
            waits, memory_after = await backlog(place.stack), memory(place.stack)
            # Large copies are not waited for.
            drained = None if large else await until_nothing_waits(place.stack)
    every = [each for took in seen.took.values() for each in took]
    say(
        f"{len(every)} requests, {len(every) / given.seconds:.0f} a second; "
        f"errors: {dict(seen.errors)}"
    )
    for kind, took in sorted(seen.took.items()):
        p50, p95, p99 = (percentile(took, part) for part in (0.5, 0.95, 0.99))
        say(f"  {kind:<10}{len(took):>7}  p50 {p50:7.1f}  p95 {p95:7.1f}  p99 {p99:7.1f} ms")
    say(
        f"{came} messages came in, {synced} accounts were looked at anew, {connected} connected; "
        f"waits at the end: {waits}"
    )
    if given.copies:
        say(f"{copied} messages of {given.copies} large mailboxes were copied meanwhile")
    if not given.copies:
        say(f"nothing waits any more after {drained} s")
    say(f"load average {os.getloadavg()[0]:.1f}")
    say(f"memory (MB) {memory_before} → {memory_after}")
    for begins, took in sorted(seen.by_time.items()):
        p95, longest = percentile(took, 0.95), max(took)
        said = f"{len(took)} requests, p95 {p95:.0f}, longest {longest:.0f} ms"
        say(f"  from {begins:>4} s on: {said}")
    say(f"memory of all of them (MB), minute by minute: {minutes.result()}")
    sql = percentile(statements, 0.95)
    say(f"statements: p95 {sql:.1f} ms of {len(statements)}, one in fifty")
    say(f"the people themselves woke late by p95 {percentile(late, 0.95):.1f} ms")
    busy = ", ".join(f"{name} {seconds / given.seconds:.2f}" for name, seconds in used.items())
    say(f"processors kept busy: {busy}")
    return {
        "benchmark": "load",
        "users": given.users,
        "seconds": given.seconds,
        "behind": place.door,
        "held_connections": held,
        "requests": len(every),
        "requests_per_second": round(len(every) / given.seconds, 1),
        "errors": dict(seen.errors),
        "p95_milliseconds": round(percentile(every, 0.95), 1),
        **{
            f"{kind}_p95_milliseconds": round(percentile(took, 0.95), 1)
            for kind, took in sorted(seen.took.items())
        },
        "sql_p95_milliseconds": round(sql, 1),
        "people_late_p95_milliseconds": round(percentile(late, 0.95), 1),
        "processors": {name: round(each / given.seconds, 3) for name, each in used.items()},
        "mail_came": came,
        "accounts_synced": synced,
        "accounts_connected": connected,
        "copied_meanwhile": copied,
        "waits_at_the_end": waits,
        "drained_seconds": drained,
        "load_average": round(os.getloadavg()[0], 1),
        "memory_before_megabytes": memory_before,
        "memory_after_megabytes": memory_after,
        "memory_by_minute_megabytes": minutes.result(),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="./just bench load")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=120, help="of load")
    parser.add_argument("--messages", type=int, default=100, help="in each mailbox")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two things")
    parser.add_argument("--mail", type=float, default=120, help="messages that come in, a minute")
    parser.add_argument("--syncs", type=float, default=100, help="accounts synced, a minute")
    parser.add_argument("--newcomers", type=float, default=6, help="accounts connected, a minute")
    parser.add_argument("--copies", type=int, default=0, help="large mailboxes copied meanwhile")
    parser.add_argument("--copy-messages", type=int, default=20_000, help="in each of them")
    parser.add_argument("--connections", type=int, default=1000, help="that are held open")
    given = parser.parse_args()
    machine = hardware()
    say("  ".join(f"{name}: {value}" for name, value in machine.items()))
    figures = asyncio.run(measure(given))
    say(json.dumps(figures | {"hardware": machine}))
    return 1 if figures["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())

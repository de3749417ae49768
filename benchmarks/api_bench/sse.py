"""Event streams by the thousand on one gateway process."""

import asyncio
import resource
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx

from benchmarks.api_bench.ground import Server
from benchmarks.machine import Processor, memory_kilobytes
from benchmarks.say import say
from tests.api.conftest import an_account

EACH_TENANT = 100
EVENTS = 20
AT_ONCE = 50
SETTLE_SECONDS = 10.0
PATIENCE_SECONDS = 900.0


@dataclass(frozen=True)
class Crowd:
    """So many streams, what they cost, and how soon each had an event of its tenant."""

    clients: int
    connected_per_second: float
    kilobytes_each: float
    idle_core: float  # share of a core while nothing happens
    p50_milliseconds: float
    p99_milliseconds: float

    def show(self) -> None:
        say(
            f"{self.clients:6,} streams: {self.kilobytes_each:.1f} kB each,"
            f" {self.idle_core:.1%} of a core while nothing happens;"
            f" {self.connected_per_second:,.0f} connected/s; an event is with {EACH_TENANT}"
            f" readers after p50 {self.p50_milliseconds:.0f}, p99 {self.p99_milliseconds:.0f} ms"
        )


@dataclass
class Tenant:
    """One person, their account, and the streams that follow their log."""

    http: httpx.AsyncClient
    token: str
    account: str
    heard: asyncio.Queue[float] = field(default_factory=asyncio.Queue[float])


async def measure_streams(server: Server, clients: int) -> Crowd:
    """Connect them, wait, and let things happen in one tenant after the other."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    before = memory_kilobytes(server.pid)
    async with _tenants(server, clients // EACH_TENANT) as tenants:
        listening: list[asyncio.Task[None]] = []
        gate = asyncio.Semaphore(AT_ONCE)
        began = time.perf_counter()
        open_streams = [
            asyncio.create_task(_connect(server, tenant, gate, listening))
            for tenant in tenants
            for _ in range(EACH_TENANT)
        ]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*open_streams)
            connected = clients / (time.perf_counter() - began)
            await asyncio.sleep(SETTLE_SECONDS)
            after = memory_kilobytes(server.pid)
            idle = Processor.now({"server": server.pid})
            await asyncio.sleep(SETTLE_SECONDS)
            used = Processor.now({"server": server.pid}).since(idle)["server"]
            taken: list[float] = []
            for n in range(EVENTS):
                taken += await _an_event(tenants[n * len(tenants) // EVENTS], n)
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
    taken.sort()
    return Crowd(
        clients=clients,
        connected_per_second=connected,
        kilobytes_each=(after - before) / clients,
        idle_core=used / SETTLE_SECONDS,
        p50_milliseconds=taken[len(taken) // 2] * 1000,
        p99_milliseconds=taken[int(len(taken) * 0.99)] * 1000,
    )


async def _an_event(tenant: Tenant, n: int) -> list[float]:
    """From the request that makes it happen to each stream's having it, in seconds."""
    began = time.perf_counter()
    changed = await tenant.http.patch(f"/accounts/{tenant.account}", json={"name": f"{n}"})
    changed.raise_for_status()
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [await tenant.heard.get() - began for _ in range(EACH_TENANT)]


@asynccontextmanager
async def _tenants(server: Server, count: int) -> AsyncGenerator[list[Tenant]]:
    async with httpx.AsyncClient(base_url=f"{server.url}/api/v1", timeout=60) as client:
        made: list[Tenant] = []
        for _ in range(count):
            answer = await client.post(
                "/auth/register",
                json={"email": f"{uuid4().hex}@example.org", "password": "correct horse battery"},
            )
            answer.raise_for_status()
            token = answer.json()["access_token"]
            http = httpx.AsyncClient(
                base_url=f"{server.url}/api/v1",
                timeout=60,
                headers={"Authorization": f"Bearer {token}"},
            )
            account = await http.post("/accounts", json=an_account())
            account.raise_for_status()
            made.append(Tenant(http, token, account.json()["id"]))
        try:
            yield made
        finally:
            for tenant in made:
                await tenant.http.aclose()


async def _connect(
    server: Server, tenant: Tenant, gate: asyncio.Semaphore, listening: list[asyncio.Task[None]]
) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    async with gate:
        reader, writer = await asyncio.open_connection(host, int(port), limit=16 * 1024)
        writer.write(
            "GET /api/v1/events HTTP/1.1\r\n"
            f"Host: {host}\r\nAccept: text/event-stream\r\n"
            f"Authorization: Bearer {tenant.token}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"retry: 2000\n\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
    listening.append(asyncio.create_task(_listen(reader, writer, tenant)))


async def _listen(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tenant: Tenant
) -> None:
    try:
        while line := await reader.readline():
            if line.startswith(b"event: account.updated"):
                tenant.heard.put_nowait(time.perf_counter())
    finally:
        writer.close()

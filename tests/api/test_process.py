import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from httpx_sse import aconnect_sse

from infra.dev.process import free_port
from tests.api.conftest import PASSWORD, an_account
from tests.platform import Platform

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Process:
    child: asyncio.subprocess.Process
    lines: list[dict[str, Any]]
    url: str
    probes: str

    async def until_it_ends(self) -> int:
        async with asyncio.timeout(20):
            return await self.child.wait()


async def new_key(file: Path) -> None:
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", "new-jwt-key", str(file), cwd=ROOT
    )
    assert await made.wait() == 0


@asynccontextmanager
async def running(platform: Platform, seal_directory: Path, keys: Path) -> AsyncGenerator[Process]:
    port, probes = free_port(), free_port()
    environment = (
        os.environ
        | platform.environment("api")
        | {
            "API_PORT": str(port),
            "API_PROBE_PORT": str(probes),
            "API_JWT_KEYS_FILE": str(keys),
            "API_SEAL_KEYS_DIR": str(seal_directory),
            "API_OWN_KEYS_DIR": str(seal_directory / "own"),
        }
    )
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert child.stdout is not None
    lines: list[dict[str, Any]] = []
    serving = asyncio.Event()

    async def listen(output: asyncio.StreamReader) -> None:
        async for line in output:
            lines.append(json.loads(line))
            if lines[-1]["event"] == "serving":
                serving.set()

    listening = asyncio.create_task(listen(child.stdout))
    try:
        async with asyncio.timeout(30):
            await serving.wait()
        yield Process(child, lines, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{probes}")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
        await listening


async def test_a_stopped_gateway_ends_its_streams_and_itself_in_order(
    platform: Platform, seal_directory: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "jwt.json"
    await new_key(keys)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    first = json.loads(keys.read_text())["current"]

    async with running(platform, seal_directory, keys) as process:
        async with httpx.AsyncClient(base_url=f"{process.url}/api/v1", timeout=20) as client:
            registered = await client.post(
                "/auth/register", json={"email": "ada@example.org", "password": PASSWORD}
            )
            token = registered.json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            assert (await client.get(f"{process.probes}/ready")).status_code == 200
            types: list[str] = []
            async with aconnect_sse(client, "GET", "/events") as source:
                assert (await client.post("/accounts", json=an_account())).status_code == 201
                async for event in source.aiter_sse():
                    if event.data:
                        types.append(event.event)
                        process.child.send_signal(signal.SIGTERM)
            assert types == ["account.created"]
        assert await process.until_it_ends() == 0

    text = json.dumps(process.lines)
    assert token not in text
    assert PASSWORD not in text
    assert "open-sesame" not in text
    (line,) = (
        line
        for line in process.lines
        if line["event"] == "request" and line["path"] == "/api/v1/accounts"
    )
    assert {"request_id", "tenant_id", "user_id", "status", "milliseconds"} <= line.keys()
    assert not [line for line in process.lines if line["level"] in {"error", "critical"}]

    async with (
        running(platform, seal_directory, keys) as process,
        httpx.AsyncClient(base_url=f"{process.url}/api/v1") as client,
    ):
        # A new key signs from now on; who signed in before stays signed in.
        await new_key(keys)
        current = json.loads(keys.read_text())["current"]
        assert current != first
        signed_in = await client.post(
            "/auth/login", json={"email": "ada@example.org", "password": PASSWORD}
        )
        newer = signed_in.json()["access_token"]
        assert jwt.get_unverified_header(newer)["kid"] == current
        assert jwt.get_unverified_header(token)["kid"] == first
        for one in (token, newer):
            answer = await client.get("/accounts", headers={"Authorization": f"Bearer {one}"})
            assert answer.status_code == 200


async def test_accounts_orders_reach_the_bus_once_the_gateway_runs(
    platform: Platform, seal_directory: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "jwt.json"
    await new_key(keys)
    async with running(platform, seal_directory, keys) as process:
        async with httpx.AsyncClient(base_url=f"{process.url}/api/v1") as client:
            registered = await client.post(
                "/auth/register", json={"email": "ada@example.org", "password": PASSWORD}
            )
            token = registered.json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            await client.post("/accounts", json=an_account())
        async with platform.admin_bus() as bus, asyncio.timeout(10):
            while True:
                sync = await bus.jetstream().stream_info("SYNC")
                sender = await bus.jetstream().stream_info("SENDER")
                if sync.state.messages == sender.state.messages == 1:
                    break
                await asyncio.sleep(0.05)


async def test_a_request_under_way_is_finished_and_nothing_new_is_begun(
    platform: Platform, seal_directory: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "jwt.json"
    await new_key(keys)
    body = json.dumps({"email": "late@example.org", "password": PASSWORD}).encode()
    async with running(platform, seal_directory, keys) as process:
        port = int(process.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /api/v1/auth/register HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        async with asyncio.timeout(20):
            # The gateway asks for the body: the request is under way.
            assert (await reader.readline()).startswith(b"HTTP/1.1 100")
            assert await reader.readline() == b"\r\n"
            process.child.send_signal(signal.SIGTERM)
            assert await idle_reader.read() == b""  # who asks nothing is let go
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)
            writer.write(body)
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 201")
        tokens = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert tokens["user"]["email"] == "late@example.org"
        assert await process.until_it_ends() == 0
        for each in (writer, idle_writer):
            each.close()
    assert not [line for line in process.lines if line["level"] in {"error", "critical"}]
    # Nothing was half done: who was registered signs in at the next gateway.
    async with (
        running(platform, seal_directory, keys) as process,
        httpx.AsyncClient(base_url=f"{process.url}/api/v1") as client,
    ):
        signed_in = await client.post(
            "/auth/login", json={"email": "late@example.org", "password": PASSWORD}
        )
        assert signed_in.status_code == 200


async def test_a_gateway_opens_as_many_files_as_the_system_lets_it() -> None:
    program = """
import resource
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
from services.api.__main__ import open_many_files
open_many_files()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0

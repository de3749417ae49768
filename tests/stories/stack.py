"""The product itself, as `./just up` runs it, in a home of its own and without the demo."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from infra.dev import postgres, programs
from tests.ports import ports_in_a_row

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0
PORTS = 12


@dataclass(frozen=True)
class Stack:
    """A running platform."""

    home: Path
    port: int
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def passwords(self) -> dict[str, str]:
        """What this platform keeps secret, by use."""
        return json.loads((self.home / "secrets" / "passwords.json").read_text())

    @property
    def superuser_url(self) -> str:
        return postgres.url(
            self.port + programs.POSTGRES, self.passwords["postgres"], programs.DATABASE
        )

    @property
    def bus_admin_url(self) -> str:
        return f"nats://admin:{self.passwords['bus_admin']}@127.0.0.1:{self.port + programs.NATS}"

    def pids(self) -> dict[str, int]:
        """The supervised processes by name, as supervisord's children say."""
        found: dict[str, int] = {}
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                line = " ".join(child.cmdline())
                name = self._name(line, child)
                if name and name not in found:
                    found[name] = child.pid
        return found

    def _name(self, line: str, child: psutil.Process) -> str | None:
        if " -m services.sync" in line:
            return f"sync-{child.environ().get('SYNC_ROLE', 'listen')}"
        for service in ("api", "sender", "indexer"):
            if f" -m services.{service}" in line:
                return service
        if "nats-server" in line:
            return "nats"
        if "/postgres" in line and " -D " in line:
            return "postgres"
        return None

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut or the kernel would; the supervisor brings it back."""
        os.kill(self.pids()[name], signal.SIGKILL)

    async def until_serving(self) -> None:
        """Until the gateway says it is ready: somebody may have been killed a moment ago."""
        ready = f"http://127.0.0.1:{self.port + programs.API_PROBES}/ready"
        async with self.client() as client:

            async def answers() -> bool:
                try:
                    return (await client.get(ready)).status_code == 200
                except httpx.HTTPError:
                    return False

            await until("the gateway answers", answers)

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[httpx.AsyncClient]:
        async with httpx.AsyncClient(base_url=f"{self.url}/api/v1", timeout=60) as client:
            yield client

    @asynccontextmanager
    async def person(self) -> AsyncGenerator[httpx.AsyncClient]:
        """Somebody who has just registered."""
        async with self.client() as client:
            answer = await client.post(
                "/auth/register",
                json={"email": f"{uuid4().hex}@example.org", "password": "correct horse battery"},
            )
            assert answer.status_code == 201, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client


@asynccontextmanager
async def running_stack(home: Path | None = None, **settings: str) -> AsyncGenerator[Stack]:
    """Start the platform as a user would, and stop it as a user would.

    A home that is given stays, for another start.
    """
    async with running_tree(ROOT, home, settings) as running:
        yield running


@asynccontextmanager
async def running_tree(
    root: Path, home: Path | None = None, settings: Mapping[str, str] | None = None
) -> AsyncGenerator[Stack]:
    """The same of the platform that another tree holds."""
    with contextlib.ExitStack() as kept:
        port = kept.enter_context(ports_in_a_row(PORTS))
        if home is None:
            home = Path(tempfile.mkdtemp(prefix="postbus-story-"))
            kept.callback(shutil.rmtree, home, ignore_errors=True)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "infra.dev", "up"),
            cwd=root,
            env=os.environ
            | {
                "POSTBUS_HOME": str(home),
                "POSTBUS_PORT": str(port),
                "POSTBUS_DEMO": "off",
                "POSTBUS_WEBMAIL": "off",
                "API_ALLOW_PLAINTEXT_PASSWORDS": "true",  # the way is loopback
                # One client plays many people, and each of them more than a person does.
                "API_REGISTRATIONS_PER_MINUTE": "100000",
                "API_SIGN_INS_PER_MINUTE": "1000",
                "API_CLIENT_SIGN_INS_PER_MINUTE": "100000",
                "API_CLIENT_REQUESTS_PER_MINUTE": "1000000",
                "API_READS_PER_MINUTE": "100000",
                "API_WRITES_PER_MINUTE": "100000",
                "API_SEARCHES_PER_MINUTE": "100000",
                "API_SENDS_PER_HOUR": "100000",
                "API_ACCOUNT_TESTS_PER_MINUTE": "100000",
                "API_DISCOVERIES_PER_MINUTE": "100000",
                "API_DISCOVERY_SECONDS": "0.5",
                "SYNC_POLL_SECONDS": "5",  # what a test waits for in mailboxes without IDLE
            }
            | dict(settings or {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            await _until_ready(process)
            draining = asyncio.create_task(_drain(process))
            yield Stack(home, port, process)
            draining.cancel()
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
                await process.wait()


async def _until_ready(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(START_SECONDS):
        while line := await process.stdout.readline():
            said.append(line.decode(errors="replace"))
            if "Postbus is ready" in said[-1]:
                return
    raise AssertionError("up did not come up:\n" + "".join(said))


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    while await process.stdout.readline():
        pass


async def until(what: str, check: Any, *, seconds: float = 60.0) -> Any:
    """What the check returns once it is true; the failure says what it last was."""
    last: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                last = await check()
                if last:
                    return last
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:.0f} s: {what}; last: {last!r}") from None

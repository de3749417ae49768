"""Rows to list, one gateway process that lists them, and Gunicorn beside it."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import nats
from nats.aio.msg import Msg

from infra.dev.process import free_port
from shared.contracts.envelope import encode
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import (
    Address,
    ContentAnswer,
    MessageContent,
    MessagesSynced,
    ReadContent,
)
from shared.seal import new_key
from tests.api.conftest import running_api
from tests.api.mail import Ground
from tests.platform import Platform, running_platform

ROOT = Path(__file__).resolve().parents[2]
_KEY = b"k" * 32  # as running_api signs
_PAGE = 100
_HOURS = {"API_ACCESS_TOKEN_MINUTES": "600"}
_UNLIMITED = {  # counted, and never reached
    "API_REGISTRATIONS_PER_MINUTE": "1000000000",
    "API_WRITES_PER_MINUTE": "1000000000",
    "API_CLIENT_REQUESTS_PER_MINUTE": "1000000000",
    "API_READS_PER_MINUTE": "1000000000",
}
_REQUIREMENTS = Path(__file__).parent / "requirements.txt"


@dataclass(frozen=True)
class Bench:
    """A tenant with mail, and where it is."""

    platform: Platform
    directory: Path
    tenant_id: UUID
    mailbox_id: UUID
    message: str
    token: str
    email: str

    @property
    def mailbox(self) -> str:
        return shown(Kind.MAILBOX, self.mailbox_id)


@dataclass(frozen=True)
class Server:
    """Who answers, and whose processor time that takes."""

    url: str
    pid: int


@asynccontextmanager
async def filled_bench(messages: int) -> AsyncGenerator[Bench]:
    """So many messages in one mailbox, told as sync tells them."""
    directory = Path(tempfile.mkdtemp(prefix="postbus-api-bench-"))
    for owner in ("sync", "sender", "own"):
        new_key(directory / "seal" / owner)
    keys = {"current": "k1", "keys": {"k1": base64.b64encode(_KEY).decode()}}
    (directory / "seal" / "jwt.json").write_text(json.dumps(keys))
    async with running_platform() as platform:
        async with (
            running_api(platform, directory / "seal", access_token_minutes=600) as api,
            api.person() as ada,
        ):
            ground = await ada.connects()
            await api.hears(ground.mailboxes())
            pages = [_page(ground, first) for first in range(0, messages, _PAGE)]
            for page in pages:
                await api.hears(page)
            await api.admin.execute("VACUUM ANALYZE api.message")
            bench = Bench(
                platform=platform,
                directory=directory,
                tenant_id=ada.tenant_id,
                mailbox_id=ground.inbox,
                message=shown(Kind.MESSAGE, pages[-1].messages[-1].message_id),
                token=ada.tokens["access_token"],
                email=ada.email,
            )
        yield bench


def _page(ground: Ground, first: int) -> MessagesSynced:
    """Messages as people have them: a sentence for a subject, two who get it."""
    return ground.page(
        *(
            ground.message(
                f"Minutes of the {n}. meeting, and what is to be done before the next",
                minutes=n,
                preview=f"Dear all, these are the minutes of our {n}. meeting. " * 3,
                to=(Address("Grace Hopper", "grace@example.org"), Address("", f"n{n}@example.org")),
            )
            for n in range(first, first + _PAGE)
        )
    )


@asynccontextmanager
async def gateway(bench: Bench) -> AsyncGenerator[Server]:
    """One gateway process, as it is run."""
    port, probes = free_port(), free_port()
    environment = {
        **os.environ,
        **bench.platform.environment("api"),
        **_HOURS,
        **_UNLIMITED,
        "API_PORT": str(port),
        "API_PROBE_PORT": str(probes),
        "API_JWT_KEYS_FILE": str(bench.directory / "seal" / "jwt.json"),
        "API_SEAL_KEYS_DIR": str(bench.directory / "seal"),
        "API_OWN_KEYS_DIR": str(bench.directory / "seal" / "own"),
        "LOG_LEVEL": "INFO",
    }
    async with _running(
        (sys.executable, "-m", "services.api"),
        environment,
        bench.directory / "gateway.log",
        f"http://127.0.0.1:{probes}/ready",
    ) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@asynccontextmanager
async def flask(bench: Bench) -> AsyncGenerator[Server]:
    """Gunicorn with four workers of two threads."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "BENCH_BARE_URL": bench.platform.database_url("api"),
        "BENCH_OWN_URL": bench.platform.database_url("api"),
        "BENCH_CALLING_URL": bench.platform.database_url("api_request"),
        "BENCH_TENANT": str(bench.tenant_id),
        "BENCH_MAILBOX": str(bench.mailbox_id),
        "BENCH_KEY": _KEY.hex(),
    }
    python = await asyncio.to_thread(_environment)
    async with _running(
        (
            *(str(python.parent / "gunicorn"), "--workers", "4", "--threads", "2"),
            *("--keep-alive", "75", "--bind", f"127.0.0.1:{port}"),
            *("--chdir", str(Path(__file__).parent), "peer:app"),
        ),
        environment,
        bench.directory / "flask.log",
        f"http://127.0.0.1:{port}/bare",
    ) as pid:
        yield Server(f"http://127.0.0.1:{port}", pid)


@asynccontextmanager
async def _running(
    command: tuple[str, ...], environment: Mapping[str, str], log: Path, url: str
) -> AsyncGenerator[int]:
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdout=out, stderr=out
        )
        try:
            await _until_served(process, url, log)
            yield process.pid
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _until_served(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    async with asyncio.timeout(60), httpx.AsyncClient() as client:
        while True:
            if process.returncode is not None:
                raise RuntimeError(log.read_text()[-2000:])
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def _environment() -> Path:
    """The interpreter of an environment with Flask, made once and kept."""
    home = (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "postbus-bench" / "flask"
    )
    python, made = home / "bin" / "python", home / "made-for.txt"
    wanted = _REQUIREMENTS.read_text()
    if not made.exists() or made.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "-r", str(_REQUIREMENTS)], check=True
        )
        made.write_text(wanted)
    return python


@asynccontextmanager
async def sync_that_answers(platform: Platform) -> AsyncGenerator[None]:
    """Stands in for sync: answers every question for a message's words, with the same."""
    text = "Dear all,\n\n" + "Shall we meet again on Friday? " * 60
    html = f"<p>Dear all,</p><p>{'Shall we meet <b>again</b> on Friday? ' * 60}</p>"
    content = MessageContent(
        text=text,
        html=html,
        headers=(("Subject", "Minutes"), ("From", "Ada <ada@example.org>")),
        text_characters=len(text),
        html_characters=len(html),
    )
    answer = encode(ContentAnswer(content=content))
    client = await nats.connect(platform.bus_url("sync"), inbox_prefix=b"_INBOX.sync")

    async def respond(message: Msg) -> None:
        await message.respond(answer)

    await client.subscribe(ReadContent.channel, cb=respond)
    await client.flush()
    try:
        yield
    finally:
        await client.close()

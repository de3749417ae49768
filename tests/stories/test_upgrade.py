"""An upgrade while people work: processes of both releases on one database and one bus.

The earlier release is one of this repository's history. Its platform runs; the steps of this
release's deploy come under it, and this release's processes beside it; then its own end one by one.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
import pytest_asyncio

from infra.dev import programs, secrets
from infra.dev.home import Home
from infra.dev.supervision import Supervisor
from infra.dev.up import write_nats_config
from tests.ports import ports_in_a_row
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import ROOT, Stack, running_tree, until
from tests.stories.test_first_walk import until_found
from tests.stories.walk import connect, pages, until_state
from tests.sync.test_copy import a_message

pytestmark = [pytest.mark.story, pytest.mark.long]

# 22 channels and 17 migrations ago.
EARLIER = "0cf97693"
PROCESSES = ("sync-listen", "sync-answer", "sender", "indexer", "api")


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the earlier release."""
    packed = subprocess.run(["git", "archive", EARLIER], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"this clone does not go back to {EARLIER}")
    tree = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as files:
        files.extractall(tree, filter="data")
    return tree


@pytest_asyncio.fixture(loop_scope="session")
async def stack(earlier: Path) -> AsyncIterator[Stack]:
    async with running_tree(earlier) as running:
        yield running


def home_of(stack: Stack) -> Home:
    return Home(stack.home, stack.port, demo=False, webmail=False)


async def deploy(stack: Stack) -> None:
    """The steps before this release's processes, while those of the earlier one work."""
    home = home_of(stack)
    kept = secrets.make(home)
    write_nats_config(home, kept)
    told = os.environ | programs.administration(home, kept)
    # As compose.yaml has it: the bus is started anew for what this release may say.
    os.kill(stack.pids()["nats"], signal.SIGTERM)
    for step in (["shared.db", "migrate"], ["shared.bus", "apply"]):
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *step), cwd=ROOT, env=told
        )
        assert await done.wait() == 0, step


@asynccontextmanager
async def beside(stack: Stack) -> AsyncGenerator[str]:
    """This release's processes; where their gateway is."""
    home = home_of(stack)
    kept = secrets.read(home)
    async with AsyncExitStack() as running:
        first = running.enter_context(ports_in_a_row(len(PROCESSES) + 1))
        url = f"http://127.0.0.1:{first}"
        for number, name in enumerate(PROCESSES, 1):
            service, _, role = name.partition("-")
            prefix = service.upper()
            told = programs.settings(service, home, kept) | {
                f"{prefix}_PROBE_HOST": "127.0.0.1",
                f"{prefix}_PROBE_PORT": str(first + number),
                "SYNC_ROLE": role or "listen",
                "API_ALLOW_PLAINTEXT_PASSWORDS": "true",
            }
            told |= {"API_PORT": str(first)} if service == "api" else {}
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"services.{service}"), cwd=ROOT, env=os.environ | told
            )
            running.push_async_callback(ended, child)
            await until_ready(f"http://127.0.0.1:{first + number}", name)
        yield url


async def ended(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGTERM)
        await child.wait()


async def until_ready(probes: str, name: str) -> None:
    async with httpx.AsyncClient() as client:

        async def ready() -> bool:
            try:
                return (await client.get(f"{probes}/ready")).status_code == 200
            except httpx.HTTPError:
                return False

        await until(f"{name} is ready", ready, seconds=120)


async def until_listed(gateway: httpx.AsyncClient, subject: str) -> dict[str, Any]:
    async def check() -> dict[str, Any] | None:
        rows = await pages(gateway, "/messages", role="inbox")
        return next((row for row in rows if row["subject"] == subject), None)

    return await until(f"{subject!r} is listed", check)


async def send(gateway: httpx.AsyncClient, account: str, to: str, subject: str) -> str:
    answer = await gateway.post(
        "/submissions",
        json={"account_id": account, "to": [to], "subject": subject, "text": "At noon."},
    )
    assert answer.status_code < 300, answer.text
    return answer.json()["id"]


async def until_accepted(gateway: httpx.AsyncClient, submission: str) -> None:
    async def accepted() -> bool:
        answer = await gateway.get(f"/submissions/{submission}")
        return answer.status_code == 200 and answer.json()["state"] == "accepted"

    await until(f"{submission} is accepted", accepted)


async def buried(stack: Stack) -> int:
    client = await nats.connect(stack.bus_admin_url)
    try:
        return (await client.jetstream().stream_info("DEAD")).state.messages
    finally:
        await client.close()


async def test_both_releases_work_side_by_side_and_each_alone(
    stack: Stack, dovecot: Dovecot, postfix: Postfix
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [a_message("From before")])
    async with stack.person() as old:
        account = await connect(old, user, dovecot, postfix)
        await until_state(old, account, "live")
        await until_listed(old, "From before")

        await deploy(stack)
        # The earlier release alone, on what this one has made of database and bus.
        dovecot.append(user, "INBOX", [a_message("Between releases")])
        await until_listed(old, "Between releases")
        await until_accepted(old, await send(old, account, user, "Sent by the earlier one"))

        async with (
            beside(stack) as url,
            httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=60, headers=old.headers) as new,
        ):
            # What one gateway was told, the other knows; what one orders, either obeys.
            for gateway in (old, new):
                await until_listed(gateway, "Sent by the earlier one")
            for number, (one, other) in enumerate(((old, new), (new, old))):
                dovecot.append(user, "INBOX", [a_message(f"Side by side {number}")])
                row = await until_listed(one, f"Side by side {number}")
                await until_listed(other, f"Side by side {number}")
                assert (await one.get(f"/messages/{row['id']}")).json()["text"]
                await until_found(other, "subject:side", f"Side by side {number}")
                answer = await one.patch(
                    f"/messages/{row['id']}", json={"keywords": {"flagged": True}}
                )
                assert answer.status_code < 300, answer.text
                await until_accepted(
                    other, await send(one, account, user, f"Sent side by side {number}")
                )
                another = dovecot.new_user()
                dovecot.append(another, "INBOX", [a_message(f"Of another account {number}")])
                second = await connect(one, another, dovecot, postfix)
                await until_state(other, second, "live")
                await until_listed(other, f"Of another account {number}")

            async def starred() -> bool:
                flags = dovecot.flags(user).values()
                return sum("\\Flagged" in each for each in flags) == 2

            await until("both stars are on the server", starred)

            # The earlier ones end, one kind after the other; whom they served is served.
            for name in ("sync-listen", "sync-answer", "sender", "indexer"):
                await stop(stack, name)
                dovecot.append(user, "INBOX", [a_message(f"Without the earlier {name}")])
                row = await until_listed(old, f"Without the earlier {name}")
                assert (await old.get(f"/messages/{row['id']}")).json()["text"]
                await until_found(old, "subject:earlier", f"Without the earlier {name}")
                await until_accepted(old, await send(old, account, user, f"Without {name}"))
            await stop(stack, "api")
            await until_listed(new, "Without indexer")
    assert await buried(stack) == 0


async def stop(stack: Stack, name: str) -> None:
    """End one process of the earlier release; its supervisor leaves it so."""
    program = next(one for one in programs.TABLE if one.name == name)
    await asyncio.to_thread(Supervisor(home_of(stack)).stop, program)

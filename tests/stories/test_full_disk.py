"""A disk that is really full, under PostgreSQL, NATS and the logs alike."""

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import short_directory
from tests.stories.stack import ROOT, Stack, running_stack, until
from tests.stories.walk import connect, pages, until_state

pytestmark = [pytest.mark.story, pytest.mark.long]

DISK = "512m"
# For an account to be connected, and by far not for its mail.
LEFT = 2 << 20
OLD = {f"old {number}" for number in range(300)}


def letter(name: str, size: int = 0) -> bytes:
    # What hardly compresses: it takes the room that it has.
    body = f"About {name}. {os.urandom(size).hex()}"
    lines = "\r\n".join(body[at : at + 900] for at in range(0, len(body), 900))
    return (
        f"From: Ada <ada@postbus.test>\r\nSubject: {name}\r\n"
        f"Message-ID: <{name.replace(' ', '-')}@postbus.test>\r\n\r\n{lines}\r\n"
    ).encode()


@asynccontextmanager
async def on_a_small_disk() -> AsyncGenerator[Stack]:
    """The platform with everything it keeps in a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    with short_directory("postbus-disk-") as home:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "postbus-test", str(home)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        try:
            async with running_stack(home) as stack:
                yield stack
        finally:
            subprocess.run(["umount", str(home)], check=True)


def fill(ballast: Path, left: int) -> None:
    """Until not a byte more is taken, less what is to be left."""
    with ballast.open("ab", buffering=0) as file:
        for piece in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(piece))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
        file.truncate(ballast.stat().st_size - left)


async def health(stack: Stack) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.dev", "health"),
        cwd=ROOT,
        env=os.environ | {"POSTBUS_HOME": str(stack.home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    return process.returncode, said


async def test_a_disk_that_is_full_stops_first_copies_and_all_goes_on_when_there_is_room(
    dovecot: Dovecot, postfix: Postfix
) -> None:
    user, late, grace = dovecot.new_user(), dovecot.new_user("late"), dovecot.new_user("grace")
    dovecot.append(user, "INBOX", [letter("first")])
    dovecot.append(late, "INBOX", [letter(name, 20_000) for name in sorted(OLD)])
    async with on_a_small_disk() as stack, stack.person() as person:
        account = await connect(person, user, dovecot, postfix)
        await until_state(person, account, "live")

        async def shown(account: str) -> set[str] | None:
            """The subjects; None where it is said that one is to ask again later."""
            answer = await person.get("/messages", params={"account_id": account})
            if answer.status_code == 503:
                assert "Retry-After" in answer.headers
                return None
            assert answer.status_code == 200, answer.text
            return {one["subject"] for one in await pages(person, "/messages", account_id=account)}

        async def sent() -> str | None:
            body = {"account_id": account, "to": [grace], "subject": "Anyway", "text": "Hello."}
            answer = await person.post(
                "/submissions", json=body, headers={"Idempotency-Key": "said-once"}
            )
            assert answer.status_code == 202 or "Retry-After" in answer.headers, answer.text
            return answer.json()["id"] if answer.status_code == 202 else None

        async def first() -> bool:
            return await shown(account) == {"first"}

        await until("the first is listed", first)
        ballast, said = stack.home / "ballast", stack.home / "logs" / "postgres.log"
        await asyncio.to_thread(fill, ballast, LEFT)
        second = await connect(person, late, dovecot, postfix)

        async def refused() -> bool:
            return "No space left on device" in said.read_text()

        await until("PostgreSQL has no room", refused)
        dovecot.append(user, "INBOX", [letter("meanwhile")])
        # As long as they can: else they are told to come again, and not that something is wrong.
        listed = await shown(second)
        assert listed is None or listed < OLD
        await shown(account)
        await sent()
        ended_with, told = await health(stack)
        assert ended_with == 1
        assert "✗ disk: 0.0 GiB (0%) are free" in told

        ballast.unlink()

        async def all_of_it() -> bool:
            return await shown(second) == OLD and (await shown(account) or set()) >= {
                "first",
                "meanwhile",
            }

        await until("all mail is there", all_of_it, seconds=120)
        submission = await until("it is taken for sending", sent)

        async def accepted() -> bool:
            answer = await person.get(f"/submissions/{submission}")
            return answer.status_code == 200 and answer.json()["state"] == "accepted"

        await until("it is sent", accepted)
        await until_state(person, second, "live")
        assert len(dovecot.messages(grace)) == 1
        for name in ("postgres", "nats", "api", "sync-listen", "sync-answer", "sender", "indexer"):
            assert name in stack.pids(), f"{name} does not run"

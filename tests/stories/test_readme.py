"""What the README tells a reader to type does what it says, as it is written there."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, until
from tests.stories.test_attachments import letter
from tests.stories.walk import until_state

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
#: A reader is told that this one may be too late.
MAY_BE_REFUSED = ":cancel"


def statements() -> Iterator[str]:
    """Each command of the walk, as a shell reads it: one line, or some that belong together."""
    walk = README.partition("## A walk with curl")[2].partition("## Webhooks in five minutes")[0]
    for block in re.findall(r"^```sh\n(.*?)^```", walk, re.MULTILINE | re.DOTALL):
        lines: list[str] = []
        for line in block.splitlines():
            lines.append(line)
            whole = "\n".join(lines)
            if whole.count("'") % 2 == 0 and not line.endswith("\\"):
                if whole.strip():
                    yield whole
                lines = []


class Reader:
    """Who types what the README shows, and puts in the ids that were answered."""

    def __init__(self, stack: Stack, user: str, ports: tuple[int, int], place: Path) -> None:
        self._place = place
        self._instead = {
            "127.0.0.1:8500": f"127.0.0.1:{stack.port}",
            "me@example.org": f"{uuid4().hex}@example.org",
            "grace@postbus.example": user,
            "demo-grace": PASSWORD,
            "8508": str(ports[0]),
            "8509": str(ports[1]),
        }
        self._known: list[str] = []  # assignments and functions
        self.ids: dict[str, str] = {}  # the last of each kind that was answered

    def knows(self, line: str) -> None:
        self._known.append(self._filled(line))

    def _filled(self, text: str) -> str:
        for shown, ours in self._instead.items():
            text = text.replace(shown, ours)
        # No moment that is written down stays in the future.
        soon = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+\d\d:\d\d", soon, text)
        return re.sub(r"\b([a-z]{3})_…", lambda found: self.ids[found[1]], text)

    async def types(self, statement: str) -> str:
        """What the command prints; of a stream, until it has told something."""
        script = "\n".join([*self._known, self._filled(statement)])
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", script),
            cwd=self._place,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # so that what it has started ends with it
        )
        assert shell.stdout is not None
        said = b""
        async with asyncio.timeout(60):
            while line := await shell.stdout.readline():
                said += line
                if line.startswith(b": postbus"):
                    os.killpg(shell.pid, signal.SIGKILL)
        assert await shell.wait() in (0, -9), (statement, said)
        return said.decode()

    def notes(self, said: str) -> dict[str, Any]:
        """What was answered; raises where it was a problem, or no JSON."""
        answer = json.loads(said)
        assert "urn:postbus:problem" not in answer.get("type", ""), said
        if isinstance(found := answer.get("id"), str):
            self.ids[found[:3]] = found
        return answer


@pytest.mark.story
async def test_the_walk_is_as_the_readme_says(
    stack: Stack, dovecot: Dovecot, postfix: Postfix, tmp_path: Path
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [letter("Programme", ("programme.txt", b"Doors open at six."))])
    (tmp_path / "programme.pdf").write_bytes(b"%PDF-1.7\n")
    reader = Reader(stack, user, (dovecot.imap_port, postfix.submission_port), tmp_path)
    typed = 0
    for statement in statements():
        if re.match(r"(API=|pb\(\))", statement):
            reader.knows(statement)
            continue
        if statement.startswith("TOKEN="):
            reader.knows(f"TOKEN={reader.ids['token']}")
            continue
        if statement.startswith("ACCOUNT="):
            reader.knows(f"ACCOUNT={reader.ids['acc']}")
            await _until_it_is_there(stack, reader)
            continue
        said = await reader.types(statement)
        typed += 1
        if "-OJ" in statement or "text/event-stream" in statement:
            assert said.startswith(": postbus") or not said.strip(), (statement, said)
        elif MAY_BE_REFUSED not in statement:
            answer = reader.notes(said)
            if "access_token" in answer:
                reader.ids["token"] = answer["access_token"]
        if MAY_BE_REFUSED in statement:  # what comes next is about one that can be put off
            held = 'pb $API/submissions -d \'{"account_id": "\'$ACCOUNT\'", "to": ["a@example.org"]'
            reader.notes(await reader.types(held + ', "undo_seconds": 60}\''))
    assert typed >= 25, "the walk was not found"
    assert (tmp_path / "programme.txt").read_bytes() == b"Doors open at six."
    assert len(list(tmp_path.glob("*.zip"))) == 1


async def _until_it_is_there(stack: Stack, reader: Reader) -> None:
    """The account is live, its message listed, and the memory knows of it."""
    token = reader.ids["token"]
    async with stack.client() as client:
        client.headers["Authorization"] = f"Bearer {token}"
        account = reader.ids["acc"]
        await until_state(client, account, "live")

        async def found(client: httpx.AsyncClient = client) -> bool:
            listed = await client.get("/messages", params={"account_id": account})
            known = await client.get("/search", params={"q": "programme"})
            items = listed.json()["items"] if listed.status_code == 200 else []
            if not items or known.status_code != 200:
                return False
            reader.ids["msg"] = items[0]["id"]
            return True

        await until("the message is listed, and searches are answered", found)


def test_the_receiver_of_the_readme_believes_us_and_nobody_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = re.search(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert shown
    key = b"k" * 32
    program = shown[1].replace("whsec_…", "whsec_" + base64.b64encode(key).decode())
    servers: list[HTTPServer] = []
    serving = threading.Event()

    def serve(server: HTTPServer) -> None:
        servers.append(server)
        serving.set()
        original(server)

    original = HTTPServer.serve_forever
    monkeypatch.setattr(HTTPServer, "serve_forever", serve)
    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.log_message", lambda *_: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    running = threading.Thread(
        target=exec, args=(program.replace("9000", "0"), {"__name__": "receiver"})
    )
    running.start()
    assert serving.wait(60)
    port = servers[0].server_address[1]
    body = json.dumps({"type": "message.received", "data": {"id": "msg_1"}}).encode()
    digest = hmac.digest(key, b"evt_1.1795262400." + body, hashlib.sha256)
    signature = "v1," + base64.b64encode(digest).decode()
    try:
        for signed, status in (
            (signature, 204),
            (f"v1,{'A' * 43}= {signature}", 204),  # while a secret follows another
            ("v1," + "A" * 43 + "=", 401),
        ):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            headers = {
                "webhook-id": "evt_1",
                "webhook-timestamp": "1795262400",
                "webhook-signature": signed,
            }
            line.request("POST", "/", body, headers)
            assert line.getresponse().status == status, signed
            line.close()
    finally:
        servers[0].shutdown()
        running.join(60)
        servers[0].server_close()
    assert capsys.readouterr().out == "message.received {'id': 'msg_1'}\n", "told once"

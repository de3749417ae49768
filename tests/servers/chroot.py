"""Servers whose packages conflict with Dovecot's: each in a Debian of its own.

infra/scripts/interop-servers installs them once, into folders that are only read here: what a run
writes lies in its own directory, mounted at /srv for its processes alone.
"""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

from tests.servers.imap_server import ImapServer
from tests.servers.process import ServerFailed, ServerUnavailable, free_ports, program

# $0 the root, $1 what becomes /srv; a mount is seen by this process and its children only.
_ENTER = """
set -e
mount --bind "$1" "$0/srv"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount -t tmpfs tmpfs "$0/run"
root=$0
shift
exec chroot "$root" "$@"
"""


def cache() -> Path:
    """Where installed servers are kept between runs."""
    given = os.environ.get("POSTBUS_CACHE")
    return (Path(given) if given else Path.home() / ".cache" / "postbus") / "servers"


class ChrootServer(ImapServer):
    """A server of a Debian package, in a root of its own; only root can start it."""

    package: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.log = directory / "log"
        (self.imap_port,) = free_ports(1)

    @classmethod
    def root(cls) -> Path:
        return cache() / cls.name

    @classmethod
    def require(cls) -> None:
        if os.geteuid() != 0:
            raise ServerUnavailable(f"{cls.name} needs a root of its own, which only root can make")
        if not (cls.root() / "installed").exists():
            raise ServerUnavailable(f"{cls.name} is not installed: ./just interop does it")
        program("unshare")

    def version(self) -> str:
        status = (self.root() / "var/lib/dpkg/status").read_text()
        paragraph = next(
            text for text in status.split("\n\n") if text.startswith(f"Package: {self.package}\n")
        )
        (version,) = (
            line.removeprefix("Version: ")
            for line in paragraph.splitlines()
            if line.startswith("Version: ")
        )
        # `1:5.0.13+1.0-3`: epoch and Debian's own part are not the authors' version.
        upstream = re.sub(r"^\d+:|[-+].*$", "", version)
        return f"{self.name.capitalize()} {upstream}"

    def start(self) -> None:
        self.configure()
        self._spawn(self._inside("sh", "/srv/start"), [self.imap_port])

    def configure(self) -> None:
        """Write what the server reads, with `start` among it, the script that becomes it."""
        raise NotImplementedError

    def stop(self) -> None:
        # The first process of a PID namespace takes everything in it along.
        self._end(signal.SIGKILL)

    def run(self, *command: str, stdin: str = "") -> str:
        """What a command prints beside the running server."""
        result = subprocess.run(
            self._inside(*command), input=stdin, capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise ServerFailed(f"{' '.join(command)}: {result.stdout}{result.stderr}")
        return result.stdout

    def _inside(self, *command: str) -> list[str]:
        isolated = [program("unshare"), "--mount", "--pid", "--fork", "--kill-child"]
        return [*isolated, "sh", "-c", _ENTER, str(self.root()), str(self.directory), *command]

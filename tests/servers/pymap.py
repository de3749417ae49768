"""pymap: IMAP4rev1 in Python, with OBJECTID and MOVE and without CONDSTORE."""

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from tests.servers.imap_server import ImapServer
from tests.servers.process import ServerUnavailable, free_ports


class Pymap(ImapServer):
    """A private pymap. It knows one user and no disk, so that a new user finds it started anew."""

    name = "pymap"
    idles_well = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.log = directory / "log"
        self._user = "nobody"
        (self.imap_port,) = free_ports(1)

    @classmethod
    def require(cls) -> None:
        if find_spec("pymap") is None:
            raise ServerUnavailable("pymap is not installed")

    def version(self) -> str:
        return f"pymap {version('pymap')}"

    def start(self) -> None:
        server = [sys.executable, "-c", "from pymap.main import main; main()"]
        server += ["--host", self.host, "--port", str(self.imap_port), "--no-tls"]
        server += ["--no-service", "managesieve"]
        user = ["dict", "--demo-user", self._user, "--demo-password", self.password]
        self._spawn(server + user, [self.imap_port])

    def new_user(self, name: str = "user") -> str:
        self.stop()
        self._user = super().new_user(name)
        self.start()
        return self._user

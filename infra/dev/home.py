"""Where a platform on one machine keeps what it has, and which ports it takes."""

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST_PORT = 8500
PORTS = 12
# bind() takes 107 bytes, and supervisord binds to the name with its pid added first.
SOCKET_BYTES = 107 - len(".4194304")


class Refused(Exception):
    """The platform cannot start or stop; the text is for the person who asked."""


class AlreadyUp(Refused):
    """Another `up` holds this home."""


@dataclass(frozen=True, slots=True)
class Home:
    """One platform's directory (`POSTBUS_HOME`) and its first port (`POSTBUS_PORT`)."""

    path: Path
    port: int
    demo: bool
    webmail: bool = True
    backups: Path | None = None  # where they are made every day (`POSTBUS_BACKUP_DIR`)

    @classmethod
    def of_environment(cls) -> "Home":
        path = Path(os.path.abspath(os.environ.get("POSTBUS_HOME") or ROOT / ".postbus"))
        said = os.environ.get("POSTBUS_PORT") or str(FIRST_PORT)
        if not said.isdecimal() or not 1024 <= int(said) <= 65536 - PORTS:
            raise Refused(f"POSTBUS_PORT={said} is not a port from 1024 to {65536 - PORTS}.")
        backups = os.environ.get("POSTBUS_BACKUP_DIR")
        return cls(
            path,
            int(said),
            _is_on("POSTBUS_DEMO"),
            _is_on("POSTBUS_WEBMAIL"),
            Path(os.path.abspath(backups)) if backups else None,
        )

    def as_started(self) -> "Home":
        """The same home with the port and the demo of the `up` that runs in it, if one does."""
        try:
            run = json.loads((self.run / "up.json").read_text())
        except FileNotFoundError:
            return self
        backups = run.get("backups")
        return Home(
            self.path, run["port"], run["demo"], self.webmail, Path(backups) if backups else None
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def database(self) -> Path:
        return self.path / "postgres"

    @property
    def streams(self) -> Path:
        return self.path / "nats"

    @property
    def demo_mail(self) -> Path:
        return self.path / "demo"

    @property
    def backup_directory(self) -> Path:
        """Where backups are, scheduled or by hand."""
        return self.backups or self.path / "backups"

    @property
    def recovery_key(self) -> Path:
        """The public half, for which backups are sealed."""
        return self.path / "recovery-key.pub"

    @property
    def nats_config(self) -> Path:
        return self.run / "nats.conf"

    @property
    def socket(self) -> Path:
        """Where supervisord listens: in the home, or in a short place that the home names."""
        elsewhere = self.run / "socket"
        with contextlib.suppress(FileNotFoundError):
            return Path(elsewhere.read_text())
        return self.run / "supervisor.sock"

    def make(self) -> None:
        """Make the directories that are not there, closed to others."""
        try:
            for path in (self.path, self.run, self.logs, self.secrets):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A home inside a clone, under whatever name, is nothing to commit.
            (self.path / ".gitignore").write_text("*\n")
            owner = self.secrets.stat().st_uid
        except OSError as error:
            raise Refused(f"{self.path} cannot be written: {error.strerror}.") from error
        if owner != os.geteuid():
            raise Refused(f"{self.path} belongs to user {owner}: run this as that user.")

    def started(self) -> None:
        """Note how this `up` runs, for `down` and `status` from another shell."""
        said: dict[str, object] = {"pid": os.getpid(), "port": self.port, "demo": self.demo}
        if self.backups is not None:
            said["backups"] = str(self.backups)
        (self.run / "up.json").write_text(json.dumps(said))
        if len(os.fsencode(self.run / "supervisor.sock")) > SOCKET_BYTES:
            short = Path(tempfile.mkdtemp(prefix="postbus-", dir="/tmp"))
            (self.run / "socket").write_text(str(short / "supervisor.sock"))

    def ended(self) -> None:
        """Leave nothing of a run that is over."""
        socket = self.socket
        socket.unlink(missing_ok=True)
        if socket.parent != self.run:
            with contextlib.suppress(OSError):
                socket.parent.rmdir()
        for name in ("socket", "up.json", "supervisord.pid", "supervisord.conf", "nats.conf"):
            (self.run / name).unlink(missing_ok=True)

    def hold(self) -> int:
        """Be the only one who starts or stops things here, until the descriptor is closed.

        The system closes it when the process is gone. The lock is on the directory itself, so
        that no file is left over.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyUp(f"Postbus already runs in {self.path}.") from None
        return descriptor

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Hold the home for as long as the block runs."""
        descriptor = self.hold()
        try:
            yield
        finally:
            os.close(descriptor)


def _is_on(name: str) -> bool:
    said = os.environ.get(name) or "on"
    if said not in ("on", "off"):
        raise Refused(f"{name}={said} is neither `on` nor `off`.")
    return said == "on"

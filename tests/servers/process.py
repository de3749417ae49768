"""A mail server as a child process: found, started on free ports, stopped without a trace."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psutil

LOOPBACK = "127.0.0.1"
# sun_path holds 108 bytes (unix(7)); both servers put sockets a few names deep in their directory.
LONGEST_DIRECTORY = 60


class ServerUnavailable(Exception):
    """This machine cannot run the server; the message is the reason to skip."""


class ServerFailed(Exception):
    """The server did not start, or did not stop; the message carries its log."""


@contextmanager
def short_directory(prefix: str) -> Generator[Path]:
    """A directory short enough for Unix sockets, open to the users the servers run as."""
    path = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def program(name: str) -> str:
    """The server's program, which distributions keep outside an ordinary user's PATH."""
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=search)
    if found is None:
        raise ServerUnavailable(f"{name} is not installed")
    return found


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on; all are held until the last is known, so that they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def answers(port: int) -> bool:
    """Whether a server listens on the port and greets."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5) as connection:
            return bool(connection.recv(1))
    except OSError:
        return False


def listens(port: int) -> bool:
    """Whether a server takes connections at the port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=5):
            return True
    except OSError:
        return False


class ServerProcess:
    """One server and everything it forks: they live and end in one process group."""

    name: str
    log: Path

    def __init__(self, directory: Path) -> None:
        if len(str(directory)) > LONGEST_DIRECTORY:
            raise ValueError(f"{directory} is too long for Unix sockets: use short_directory()")
        self.directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        raise NotImplementedError

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process at the top of the server's."""
        assert self._process is not None
        return self._process.pid

    def _spawn(
        self,
        command: list[str],
        greeting_ports: list[int],
        *,
        environment: Mapping[str, str] | None = None,
        talks: bool = False,
        silent_ports: Sequence[int] = (),
        sockets: Sequence[Path] = (),
        user: str | None = None,
    ) -> None:
        """Start the server; one that `talks` is given orders on stdin and answers on stdout.

        At `silent_ports` the client speaks first: that they take a connection is enough, and of
        `sockets` that they are there.
        """
        with (self.directory / "output").open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                env=environment,
                start_new_session=True,
                user=user,
            )
        self._process = process
        deadline = time.monotonic() + 30
        while not (
            all(answers(port) for port in greeting_ports)
            and all(listens(port) for port in silent_ports)
            and all(path.is_socket() for path in sockets)
        ):
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerFailed(f"{self.name} did not start:\n{self.words()}")
            time.sleep(0.02)

    def words(self) -> str:
        """The end of what the server said, for the message of a failed test."""
        said = [
            path.read_text(errors="replace")[-4000:]
            for path in (self.directory / "output", self.log)
            if path.exists()
        ]
        return "\n".join(said)

    def stop(self) -> None:
        """End the server as an operator would; its mail stays and start() serves it again."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server and every child at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if how is signal.SIGKILL:
            _signal_group(process.pid, how)
        else:
            process.send_signal(how)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()
        # The children notice that their master is gone; those that did not in time are ended.
        deadline = time.monotonic() + 5
        while _group_lives(process.pid):
            if time.monotonic() > deadline:
                _signal_group(process.pid, signal.SIGKILL)
            time.sleep(0.02)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._process = None


def _signal_group(group: int, how: signal.Signals) -> None:
    try:
        os.killpg(group, how)
    except ProcessLookupError:
        return


def _group_lives(group: int) -> bool:
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return False

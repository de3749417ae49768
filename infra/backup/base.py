"""PostgreSQL as a whole, read over the replication protocol while it runs, and checked.

The role may replicate and nothing else: it reads no table by SQL and writes nowhere.
"""

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, cast
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec
from msgspec import Struct

from infra.backup.sealed import pieces
from infra.dev.postgres import binaries


class BaseFailed(Exception):
    """PostgreSQL gave no base backup, or not the one it says; the text says why."""


class Address:
    """A database's address for PostgreSQL's own programs: the password is in no argument."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        self.dsn = urlunsplit(parts._replace(netloc=f"{parts.username}@{host}"))
        self.environment = os.environ | {"PGPASSWORD": unquote(parts.password or "")}


@contextmanager
def base(url: str) -> Generator[IO[bytes]]:
    """The cluster as a tar, with the WAL that makes it consistent; raises BaseFailed."""
    address = Address(url)
    process = subprocess.Popen(
        [
            *(str(binaries() / "pg_basebackup"), f"--dbname={address.dsn}", "--no-password"),
            *("--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast"),
            *("--manifest-checksums=SHA256", "--no-estimate-size"),
        ],
        env=address.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield process.stdout
        said = process.stderr.read().decode(errors="replace").strip()
        if process.wait() != 0:
            raise BaseFailed(said)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
        process.stderr.close()


class _File(Struct):
    path: str = msgspec.field(name="Path")
    size: int = msgspec.field(name="Size")
    checksum: str = msgspec.field(name="Checksum")


class _Range(Struct):
    timeline: int = msgspec.field(name="Timeline")
    start: str = msgspec.field(name="Start-LSN")
    end: str = msgspec.field(name="End-LSN")


class _Contents(Struct):
    system_identifier: int = msgspec.field(name="System-Identifier")
    files: list[_File] = msgspec.field(name="Files")
    ranges: list[_Range] = msgspec.field(name="WAL-Ranges")


class Checked(Struct, frozen=True, kw_only=True):
    """What a base holds, every file of it compared with what PostgreSQL says it wrote."""

    system_identifier: int
    timeline: int
    start_lsn: str
    end_lsn: str
    files: int


def check(source: IO[bytes]) -> Checked:
    """Read a base to its end and compare each file's checksum; raises BaseFailed."""
    found: dict[str, tuple[int, str]] = {}
    contents: _Contents | None = None
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                data = cast("IO[bytes]", tar.extractfile(member))
                if member.name == "backup_manifest":
                    contents = msgspec.json.decode(data.read(), type=_Contents)
                    continue
                digest = hashlib.sha256()
                for piece in pieces(data):
                    digest.update(piece)
                found[member.name.removeprefix("./")] = (member.size, digest.hexdigest())
    except (tarfile.TarError, msgspec.MsgspecError) as error:
        raise BaseFailed(f"the base is cut off or damaged: {error}") from error
    if contents is None or not contents.ranges:
        raise BaseFailed("the base has no manifest: it is not whole")
    for file in contents.files:
        if found.get(file.path) != (file.size, file.checksum):
            raise BaseFailed(f"{file.path} is not as PostgreSQL wrote it")
    return Checked(
        system_identifier=contents.system_identifier,
        timeline=contents.ranges[-1].timeline,
        start_lsn=contents.ranges[0].start,
        end_lsn=contents.ranges[-1].end,
        files=len(contents.files),
    )

"""Files for the recovery key alone: zstd, then age (age-encryption.org/v1).

Whoever makes backups needs the public half only. Each set is sealed for a second key as well, which
lives in memory until the set was read back and verified, and is forgotten then.
"""

# pyrage is compiled and says nothing of its types; all of it stays in this module.
# pyright: reportAttributeAccessIssue=false

import hashlib
import os
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pyrage
import zstandard
from msgspec import Struct

SUFFIX = ".zst.age"
_LEVEL = 3
_PIECE_BYTES = 1024 * 1024


class NotOpened(Exception):
    """This file is damaged, or it is sealed for another key."""


class Key:
    """A private key; what it opens is everything that was sealed for its public half."""

    def __init__(self, identity: Any) -> None:
        self.identity = identity

    @classmethod
    def new(cls) -> "Key":
        return cls(pyrage.x25519.Identity.generate())

    @classmethod
    def read(cls, text: str) -> "Key":
        """From what was printed; raises NotOpened for anything else."""
        lines = [line.strip() for line in text.splitlines()]
        for line in lines:
            if line.startswith("AGE-SECRET-KEY-1"):
                try:
                    return cls(pyrage.x25519.Identity.from_str(line))
                except pyrage.IdentityError as error:
                    raise NotOpened(f"This recovery key is not whole: {error}") from error
        raise NotOpened("A recovery key begins with AGE-SECRET-KEY-1.")

    @property
    def public(self) -> str:
        return str(self.identity.to_public())

    @property
    def private(self) -> str:
        return str(self.identity)


class Written(Struct, frozen=True, kw_only=True):
    """A sealed file as it lies on the disk."""

    name: str
    size_bytes: int
    sha256: str


def seal(source: IO[bytes], path: Path, public_keys: Sequence[str]) -> Written:
    """Write all of `source`, sealed for each of these keys; it is on the disk when this returns."""
    recipients = [pyrage.x25519.Recipient.from_str(key) for key in public_keys]
    packed = zstandard.ZstdCompressor(level=_LEVEL).stream_reader(source)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        pyrage.encrypt_io(packed, out, recipients)
        out.flush()
        os.fsync(out.fileno())
    return Written(name=path.name, size_bytes=path.stat().st_size, sha256=digest(path))


def digest(path: Path) -> str:
    """SHA-256 of a file as it lies there."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def opened(path: Path, key: Key) -> Generator[IO[bytes]]:
    """What was sealed, as a stream; whoever reads to its end knows that nothing was changed.

    Raises NotOpened, where it is noticed: at the first byte or at any later one.
    """
    read_end, write_end = os.pipe()
    failures: list[Exception] = []

    def unseal() -> None:
        with path.open("rb") as sealed, os.fdopen(write_end, "wb") as out:
            try:
                pyrage.decrypt_io(sealed, out, [key.identity])
            except (pyrage.DecryptError, OSError) as error:
                failures.append(error)

    reading = threading.Thread(target=unseal, name=f"unseal {path.name}")
    reading.start()
    try:
        with os.fdopen(read_end, "rb") as piped:
            plain = zstandard.ZstdDecompressor().stream_reader(piped)
            try:
                yield cast("IO[bytes]", plain)
                # Whoever stopped reading early is told of damage further on all the same.
                for _ in pieces(cast("IO[bytes]", plain)):
                    pass
            except zstandard.ZstdError as error:
                raise NotOpened(f"{path.name} is damaged: {error}") from error
            except Exception as error:
                if failures:
                    raise NotOpened(f"{path.name} is not opened: {failures[0]}") from error
                raise
    finally:
        reading.join()
    if failures:
        raise NotOpened(f"{path.name} is not opened: {failures[0]}")


def pieces(source: IO[bytes]) -> Iterable[bytes]:
    while piece := source.read(_PIECE_BYTES):
        yield piece

"""Make one set, read it back, and let it count only then."""

import fcntl
import os
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import IO

import structlog

from infra.backup import sets
from infra.backup.base import BaseFailed, Checked, base, check
from infra.backup.retention import kept, rolled_forward_from
from infra.backup.sealed import SUFFIX, Key, Written, opened, seal
from infra.backup.sets import BadSet, Cluster, Manifest
from infra.backup.settings import Settings

log = structlog.get_logger()

DATABASE = f"database.tar{SUFFIX}"
# What a mail server finds out again from the messages. It gives mailboxes a new UIDVALIDITY then,
# so that nobody takes a UID of before the restore for the message that has it after.
_FOUND_AGAIN = ("dovecot.index", "dovecot-uidlist", "dovecot-uidvalidity", "dovecot.list.index")


class Busy(Exception):
    """Another backup is being made in this directory."""


class NoRecoveryKey(Exception):
    """There is nobody to seal a backup for."""


def take(settings: Settings) -> Manifest:
    """Make a set and verify it; raises BaseFailed, BadSet, NoRecoveryKey, Busy or OSError."""
    settings.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(settings.dir):
        return _take(settings)


def _take(settings: Settings) -> Manifest:
    recovery = settings.public_keys()
    if not recovery:
        raise NoRecoveryKey(f"{settings.recovery_key_file} names no recovery key (age1…).")
    began, clock = datetime.now(UTC), time.monotonic()
    name = sets.name_of(began)
    draft = sets.drafted(settings.dir, name)
    once = Key.new()
    keys = [*recovery, once.public]
    # The database first: what a mail server has that our copy lacks is found again, and not the
    # other way round.
    with base(settings.database_url.get_secret_value()) as source:
        files = [seal(source, draft / DATABASE, keys)]
    for what, directory in _directories(settings).items():
        names = settings.config_names if what == "configuration" else ()
        with tarred(directory, names, _is_found_again if what == "mail" else None) as source:
            files.append(seal(source, draft / f"{what}.tar{SUFFIX}", keys))
    checked = verify(draft, files, once)
    manifest = Manifest(
        format=sets.FORMAT,
        name=name,
        made_at=began,
        seconds=round(time.monotonic() - clock, 3),
        release=_release(),
        cluster=Cluster(
            system_identifier=checked.system_identifier,
            version="18",
            timeline=checked.timeline,
            start_lsn=checked.start_lsn,
            end_lsn=checked.end_lsn,
        ),
        files=tuple(files),
    )
    sets.finish(draft, manifest)
    log.info("backup made", set=name, seconds=manifest.seconds, size_bytes=manifest.size_bytes)
    return manifest


def _release() -> str:
    try:
        return version("postbus")
    except PackageNotFoundError:  # in an image, which has a tag
        return os.environ.get("POSTBUS_RELEASE", "unknown")


def verify(place: Path, files: list[Written] | tuple[Written, ...], key: Key) -> Checked:
    """Open every file of a set and read all of it; raises NotOpened, BaseFailed or BadSet."""
    checked: Checked | None = None
    for file in files:
        with opened(place / file.name, key) as plain:
            if file.name == DATABASE:
                checked = check(plain)
            else:
                _read_through(plain, file.name)
    if checked is None:
        raise BadSet(f"{place} holds no database.")
    return checked


def prune(settings: Settings, now: datetime) -> None:
    """Let go what the rules do not keep: sets, and the WAL of before the oldest that needs it."""
    known = {manifest.made_at: manifest for manifest in sets.whole(settings.dir).values()}
    keep = kept(known, daily=settings.keep_daily, days=settings.keep_days, now=now)
    for moment in known.keys() - keep:
        place = settings.dir / "sets" / known.pop(moment).name
        # Under another name first: half a set must not count for a moment.
        gone = place.with_name(f".going-{place.name}")
        place.rename(gone)
        _remove(gone)
    for left in (settings.dir / "sets").glob(".going-*"):
        _remove(left)
    oldest = rolled_forward_from(known, daily=settings.keep_daily)
    if oldest is None:
        return
    from_ = known[oldest].cluster
    wal = sets.wal_of(settings.dir, from_.system_identifier)
    needed_from = sets.segment_of(from_.start_lsn)
    for path in wal.glob(f"*{SUFFIX}"):
        segment = path.name.partition(".")[0]
        if len(segment) == 24 and segment[8:] < needed_from:
            path.unlink()


def _remove(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()


def _directories(settings: Settings) -> dict[str, Path]:
    named = {
        "keys": settings.keys_dir,
        "configuration": settings.config_dir,
        "mail": settings.mail_dir,
    }
    return {what: path for what, path in named.items() if path is not None}


def _is_found_again(name: str) -> bool:
    return os.path.basename(name).startswith(_FOUND_AGAIN)


@contextmanager
def tarred(
    directory: Path, names: Iterable[str], left_out: Callable[[str], bool] | None
) -> Generator[IO[bytes]]:
    """A directory, or what is named of it, as a tar, while it may change.

    What vanishes meanwhile is left out.
    """
    begun = [directory / name for name in names] or [directory]
    read_end, write_end = os.pipe()
    failures: list[OSError] = []

    def write() -> None:
        try:
            with (
                os.fdopen(write_end, "wb") as out,
                tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar,
            ):
                for path in chain.from_iterable(map(_with_all_below, begun)):
                    if path == directory:
                        continue
                    name = str(path.relative_to(directory))
                    if left_out is not None and left_out(name):
                        continue
                    try:
                        tar.add(path, name, recursive=False)
                    except FileNotFoundError:
                        continue  # a message that was read, moved or expunged
        except OSError as error:
            failures.append(error)

    writing = threading.Thread(target=write, name=f"tar {directory}")
    writing.start()
    try:
        with os.fdopen(read_end, "rb") as source:
            yield source
    finally:
        writing.join()
    if failures:
        raise failures[0]


def _with_all_below(path: Path) -> Iterator[Path]:
    if path.exists():
        yield path
    for root, directories, names in os.walk(path):
        directories.sort()
        for name in sorted([*directories, *names]):
            below = Path(root, name)
            if below.is_dir() or below.is_file() or below.is_symlink():
                yield below


def _read_through(plain: IO[bytes], name: str) -> None:
    try:
        with tarfile.open(fileobj=plain, mode="r|") as tar:
            for _ in tar:
                pass
    except tarfile.TarError as error:
        raise BaseFailed(f"{name} is damaged: {error}") from error


@contextmanager
def _alone(directory: Path) -> Generator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"Another backup is being made in {directory}.") from None
        yield
    finally:
        os.close(descriptor)

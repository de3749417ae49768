"""A directory of backups: sets, each with a manifest, and the WAL of each cluster.

sets/20261122T031500Z/manifest.json  written last: a set without one does not count
                      database.tar.zst.age
                      keys.tar.zst.age …
wal/<system identifier>/000000010000000000000003.zst.age
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from infra.backup.sealed import Written, digest

FORMAT = 1
_STAMP = "%Y%m%dT%H%M%SZ"
_DRAFT = ".making-"


class BadSet(Exception):
    """This is no whole set of a backup; the text says why."""


class Cluster(Struct, frozen=True, kw_only=True):
    """Which PostgreSQL a base is of, and the WAL that it needs to be consistent."""

    system_identifier: int
    version: str
    timeline: int
    start_lsn: str
    end_lsn: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a set holds."""

    format: int
    name: str
    made_at: datetime  # when it began: what was written later is in the WAL
    seconds: float
    release: str
    cluster: Cluster
    files: tuple[Written, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def name_of(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_STAMP)


def drafted(directory: Path, name: str) -> Path:
    """A place to make a set in; what an interrupted attempt left behind is gone."""
    sets = directory / "sets"
    sets.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in sets.glob(f"{_DRAFT}*"):
        shutil.rmtree(left)
    draft = sets / f"{_DRAFT}{name}"
    draft.mkdir(mode=0o700)
    return draft


def finish(draft: Path, manifest: Manifest) -> Path:
    """Write the manifest, and let the set count."""
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    with (draft / "manifest.json").open("wb") as out:
        out.write(body + b"\n")
        out.flush()
        os.fsync(out.fileno())
    whole = draft.with_name(manifest.name)
    draft.rename(whole)
    sync_directory(whole.parent)
    return whole


def sync_directory(path: Path) -> None:
    """Let the names in it last through a power cut, too."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def manifest_of(place: Path) -> Manifest:
    """Raises BadSet."""
    try:
        manifest = msgspec.json.decode((place / "manifest.json").read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadSet(f"{place} has no manifest that can be read: {error}") from error
    if manifest.format != FORMAT:
        raise BadSet(f"{place} is of format {manifest.format}; this release reads {FORMAT}.")
    return manifest


def whole(directory: Path) -> dict[str, Manifest]:
    """Every set that counts, the oldest first."""
    places = sorted((directory / "sets").glob("[0-9]*"))
    return {place.name: manifest_of(place) for place in places}


def chosen(directory: Path, name: str) -> Path:
    """The set of this name, or the newest for `latest`; raises BadSet."""
    known = whole(directory)
    if not known:
        raise BadSet(f"There is no backup in {directory}.")
    if name == "latest":
        name = max(known)
    if name not in known:
        raise BadSet(f"There is no backup {name} in {directory}; there are {', '.join(known)}.")
    return directory / "sets" / name


def check_files(place: Path, manifest: Manifest) -> None:
    """That each file lies there as it was written; raises BadSet."""
    for file in manifest.files:
        path = place / file.name
        if not path.exists():
            raise BadSet(f"{path} is missing.")
        if path.stat().st_size != file.size_bytes or digest(path) != file.sha256:
            raise BadSet(f"{path} is not as it was written.")


def wal_of(directory: Path, system_identifier: int) -> Path:
    return directory / "wal" / str(system_identifier)


def segment_of(lsn: str) -> str:
    """The place of a segment in the order of WAL, whatever its timeline: the end of its name."""
    high, low = lsn.split("/")
    return f"{int(high, 16):08X}{int(low, 16) >> 24:08X}"

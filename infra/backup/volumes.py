"""Bring a set back into the volumes of compose.yaml, while none of its containers runs."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from infra.backup import sets
from infra.backup.restore import (
    NotRestored,
    Restored,
    give,
    restore_cluster,
    restore_directory,
)
from infra.backup.sealed import Key


class Volumes(Struct, frozen=True, kw_only=True):
    """Where they are mounted in the container that restores."""

    cluster: Path = Path("/var/lib/postgresql/18/docker")
    cluster_owner: int = 999  # `postgres` in its image
    keys: Path = Path("/keys")
    mail: Path = Path("/mail")
    configuration: Path = Path("/clone")
    streams: Path = Path("/nats/data")
    recovery_key: Path = Path("/state/recovery-key.pub")


def restore_volumes(
    backups: Path,
    name: str,
    key: Key,
    *,
    to: datetime | None = None,
    replace: bool = False,
    volumes: Volumes | None = None,
) -> Restored:
    """The database, keys, configuration and mail of a set; what was there is put aside.

    Raises NotRestored where there is a database already, unless that is to be replaced.
    """
    volumes = volumes or Volumes()
    aside = f".before-{sets.name_of(datetime.now(UTC))}"
    if volumes.cluster.exists():
        if not replace:
            raise NotRestored(
                "There is a database in these volumes. A backup comes back to empty ones, or with"
                " --replace, which puts aside what is there."
            )
        volumes.cluster.rename(volumes.cluster.with_name(volumes.cluster.name + aside))
    came = restore_cluster(backups, name, key, volumes.cluster, to=to)
    give(volumes.cluster, volumes.cluster_owner)
    restore_directory(backups, came.name, key, "keys", volumes.keys, owners=True)
    if not any((volumes.mail / "boxes").glob("*")):
        restore_directory(backups, came.name, key, "mail", volumes.mail, owners=True)
    restore_configuration(backups, came.name, key, volumes.configuration, aside)
    volumes.recovery_key.write_text(key.public + "\n", "utf-8")
    # What was on the bus is not what was in the database: it is told again.
    for path in volumes.streams.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return came


def restore_configuration(backups: Path, name: str, key: Key, clone: Path, aside: str) -> None:
    """Each file and directory of it, whole; whoever has the clone has them."""
    draft = clone / ".env.restoring"  # a name that no commit takes up
    shutil.rmtree(draft, ignore_errors=True)
    restore_directory(backups, name, key, "configuration", draft, owners=True)
    if not draft.exists():
        return
    owner = clone.stat()
    for path in (draft, *draft.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    for path in sorted(_tops(draft)):
        target = clone / path.relative_to(draft)
        if target.exists():
            target.rename(target.with_name(target.name + aside))
        path.rename(target)
    shutil.rmtree(draft)


def _tops(draft: Path) -> list[Path]:
    """What a set was told to take: files, and directories as a whole."""
    tops = [path for path in draft.iterdir() if path.name != "infra"]
    return tops + list((draft / "infra").glob("*"))

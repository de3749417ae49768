"""Bring back a cluster: a base, the WAL after it, and a word to the services about it.

The cluster is recovered here, by PostgreSQL itself and to the end, before anybody else sees it. It
comes up under a new timeline, and says by a setting of its own that it was restored: the next
step of a deploy notes it, and every service settles it before it serves (shared/db/restoration).
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from uuid_utils.compat import uuid7

from infra.backup import sets
from infra.backup.sealed import SUFFIX, Key, opened
from infra.backup.sets import BadSet
from infra.backup.take import DATABASE
from infra.dev import postgres
from infra.dev.process import free_port
from shared.db.restoration import SETTING

_RECOVERY_SECONDS = 6 * 3600.0
_LOOK_SECONDS = 0.1
_OURS = ("restore_command", "recovery_target", SETTING)
_LAST = re.compile(r"last completed transaction was at log time (.+)$", re.MULTILINE)
_WAL = "restored-wal"


class NotRestored(Exception):
    """The backup does not come back; the text says why, in PostgreSQL's words where it can."""


class Restored(Struct, frozen=True, kw_only=True):
    """What came back."""

    name: str
    last_commit: str | None  # of the last transaction that WAL brought, as PostgreSQL says it
    seconds: float


def restore_cluster(
    directory: Path, name: str, key: Key, data: Path, *, to: datetime | None = None
) -> Restored:
    """A recovered, stopped cluster in `data`, which must not be there yet.

    As far as the WAL goes, or to a moment. Raises NotRestored, NotOpened, BadSet.
    """
    clock = time.monotonic()
    place = sets.chosen(directory, name)
    manifest = sets.manifest_of(place)
    if to is not None and to < manifest.made_at:
        raise BadSet(f"{place.name} is of later than {to.isoformat()}: take an earlier set.")
    sets.check_files(place, manifest)
    if data.exists():
        raise NotRestored(f"{data} is there already.")
    data.parent.mkdir(parents=True, exist_ok=True)
    draft = data.with_name(data.name + ".restoring")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    with opened(place / DATABASE, key) as plain:
        unpack(plain, draft)
    (draft / "backup_manifest").unlink(missing_ok=True)
    _bring_wal(
        sets.wal_of(directory, manifest.cluster.system_identifier),
        draft / _WAL,
        key,
        from_segment=sets.segment_of(manifest.cluster.start_lsn),
    )
    _ask_recovery(draft, to)
    if postgres.sheltered():
        give(draft, postgres.NOBODY)
    said = _recover(draft)
    shutil.rmtree(draft / _WAL)
    _configure(draft, [f"{SETTING} = '{uuid7()}'"])
    if postgres.sheltered():
        give(draft, postgres.NOBODY)
    draft.rename(data)
    commits = _LAST.findall(said)
    return Restored(
        name=place.name,
        last_commit=commits[-1] if commits else None,
        seconds=round(time.monotonic() - clock, 3),
    )


def restore_directory(
    directory: Path, name: str, key: Key, what: str, to: Path, *, owners: bool = False
) -> bool:
    """Bring back keys, configuration or mail; False when the set holds none.

    Whoever restores owns it, and nobody else reads it; or all of it is whose it was.
    """
    place = sets.chosen(directory, name)
    path = place / f"{what}.tar{SUFFIX}"
    if path.name not in {file.name for file in sets.manifest_of(place).files}:
        return False
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    with opened(path, key) as plain:
        unpack(plain, to, owners=owners)
    return True


def unpack(plain: object, to: Path, *, owners: bool = False) -> None:
    """A tar as files, none of them outside of `to`."""
    with tarfile.open(fileobj=plain, mode="r|") as tar:  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType]
        # Python 3.11 before 3.11.4 has no filters of its own: every member passes ours instead.
        tar.extraction_filter = _as_it_is
        members = (_safe(member, to, owners=owners) for member in tar)
        tar.extractall(to, members, numeric_owner=True)  # noqa: S202 - see above
    if owners:
        return
    for root, directories, _ in os.walk(to):
        for name in directories:
            Path(root, name).chmod(0o700)


def _as_it_is(member: tarfile.TarInfo, _to: str) -> tarfile.TarInfo:
    return member


def _safe(member: tarfile.TarInfo, to: Path, *, owners: bool) -> tarfile.TarInfo:
    """The member, if it and what it links to stay inside; raises tarfile.ReadError."""
    leads_to = [member.name]
    if member.islnk():  # Dovecot keeps copies of a message as links to one file
        leads_to.append(member.linkname)
    elif member.issym():
        leads_to.append(str(Path(member.name).parent / member.linkname))
    elif not (member.isfile() or member.isdir()):
        raise tarfile.ReadError(f"neither a file nor a directory: {member.name!r}")
    inside = to.resolve()
    for name in leads_to:
        if not (inside / name).resolve().is_relative_to(inside):
            raise tarfile.ReadError(f"leads out of where it is restored: {member.name!r}")
    if owners:
        member.mode &= 0o1777
    else:
        member.uid, member.gid = os.geteuid(), os.getegid()
        member.mode = member.mode & 0o755 | 0o600
    return member


def _bring_wal(kept: Path, to: Path, key: Key, *, from_segment: str) -> None:
    to.mkdir(mode=0o700)
    for path in sorted(kept.glob(f"[0-9A-F]*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        segment = name.removesuffix(".partial")
        if len(segment) == 24 and segment[8:] < from_segment:
            continue
        if segment != name and (kept / f"{segment}{SUFFIX}").exists():
            continue  # it was completed since
        with opened(path, key) as plain, (to / segment).open("wb") as out:
            shutil.copyfileobj(plain, out, 1024 * 1024)


def _ask_recovery(data: Path, to: datetime | None) -> None:
    wal = shlex.quote(str(data / _WAL)).replace("%", "%%")
    copying = f"test -f {wal}/%f && cp {wal}/%f %p".replace("'", "''")
    lines = [f"restore_command = '{copying}'", "recovery_target_timeline = 'latest'"]
    if to is not None:
        lines += [
            f"recovery_target_time = '{to.isoformat()}'",
            "recovery_target_action = 'promote'",
        ]
    _configure(data, lines)
    (data / "recovery.signal").touch(mode=0o600)


def _configure(data: Path, lines: Iterable[str]) -> None:
    """Let these be all that is said of a recovery; what else was set there stays."""
    path = data / "postgresql.auto.conf"
    others = [
        line
        for line in (path.read_text("utf-8").splitlines() if path.exists() else [])
        if not line.startswith(_OURS)
    ]
    path.write_text("\n".join([*others, *lines, ""]), "utf-8")


def _recover(data: Path) -> str:
    """Start it where nobody can come, until it is out of recovery, and stop it; what it said."""
    log = data.with_name(data.name + ".log")
    port = free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            postgres.as_allowed(
                *("postgres", "-D", str(data), f"--port={port}"),
                *("--listen_addresses=127.0.0.1", "--unix_socket_directories="),
                # Nobody is let in before the end; and nothing is said anywhere else.
                *("--hot_standby=off", "--logging_collector=off", "--archive_mode=off"),
                *("--ssl=off", "--log_min_messages=log"),
            ),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _RECOVERY_SECONDS
        while not _serves(port):
            if process.poll() is not None:
                raise NotRestored(_last_words(log))
            if time.monotonic() > deadline:
                raise NotRestored(f"Recovery does not end. {_last_words(log)}")
            time.sleep(_LOOK_SECONDS)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=600)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
    said = log.read_text(errors="replace")
    with contextlib.suppress(FileNotFoundError):
        log.unlink()
    return said


def _serves(port: int) -> bool:
    asked = subprocess.run(
        [str(postgres.binaries() / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"],
        check=False,
    )
    return asked.returncode == 0


def _last_words(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def give(directory: Path, owner: int) -> None:
    for root, directories, names in os.walk(directory):
        for name in (*directories, *names):
            os.lchown(Path(root, name), owner, owner)
    os.chown(directory, owner, owner)

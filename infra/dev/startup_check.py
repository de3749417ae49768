"""`startup-check`: in plain words, before anything starts, what is missing or wrong."""

import importlib
import os
import resource
import shutil
import socket
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from infra.dev import nats, postgres, programs, secrets
from infra.dev.home import Home
from shared.contracts.catalogue import SERVICES
from shared.db import DatabaseSettings

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
# One process of each that comes to the database; sync runs as two.
PROCESSES = {"api": 1, "sync": 2, "sender": 1, "indexer": 1}
# What PostgreSQL keeps for superusers, a deploy's steps, backups, and whoever looks.
SPARE_CONNECTIONS = 10
_SHOWN = {"ok": ("✓", "green"), "look": ("!", "yellow"), "wrong": ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: fine, to be looked at, or in the way of a start."""

    how: Literal["ok", "look", "wrong"]
    says: str


def startup_check(home: Home) -> int:
    """Show every finding; 1 when one of them keeps the platform from starting or serving."""
    return show(finding for look in LOOKS for finding in look(home))


def show(findings: Iterable[Finding]) -> int:
    """Show findings as they come; 1 when one of them is wrong."""
    console = Console(highlight=False, soft_wrap=True)
    wrong = False
    for finding in findings:
        sign, colour = _SHOWN[finding.how]
        console.print(Text.assemble((f"{sign} ", colour), finding.says))
        wrong = wrong or finding.how == "wrong"
    return 1 if wrong else 0


def _programs(home: Home) -> Iterator[Finding]:
    try:
        postgres.binaries()
        nats.command(home.nats_config)
    except (postgres.PostgresRefused, nats.NatsMissing) as missing:
        yield Finding("wrong", str(missing))
        return
    yield Finding("ok", "PostgreSQL and NATS are here.")


def _permissions(home: Home) -> Iterator[Finding]:
    place = next(path for path in (home.path, *home.path.parents) if path.exists())
    if not os.access(place, os.W_OK):
        yield Finding("wrong", f"{place} cannot be written by user {os.geteuid()}.")
        return
    yield Finding("ok", f"{home.path} can be written.")
    if home.secrets.exists():
        open_ones = [
            path
            for path in home.secrets.rglob("*")
            if path.is_file() and path.suffix != ".public" and path.stat().st_mode & 0o077
        ]
        for path in open_ones:
            mode = stat.filemode(path.stat().st_mode)
            yield Finding("wrong", f"Others may read {path} ({mode}): chmod 600 it.")


def _ports(home: Home) -> Iterator[Finding]:
    if (home.run / "up.json").exists():
        yield Finding("ok", f"Postbus runs in {home.path}; its ports are its own.")
        return
    taken = [
        f"{home.port + offset} ({program.name})"
        for program in programs.table(home)
        for offset in program.ports
        if not _is_free(home.port + offset)
    ]
    if taken:
        yield Finding(
            "wrong",
            f"Somebody has the ports {', '.join(taken)}. POSTBUS_PORT names another first port.",
        )
    else:
        yield Finding("ok", f"The ports from {home.port} on are free.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _memory(_: Home) -> Iterator[Finding]:
    available = available_memory_bytes(Path("/proc/meminfo").read_text())
    if available is None:
        return
    shown = f"{available / _GIB:.1f} GiB of memory are free"
    if available < 512 * _MIB:
        yield Finding("wrong", f"{shown}; the platform needs half a GiB to start at all.")
    elif available < 2 * _GIB:
        yield Finding("look", f"{shown}; first syncs of large mailboxes want two.")
    else:
        yield Finding("ok", f"{shown}.")


def available_memory_bytes(meminfo: str) -> int | None:
    """What the kernel would give without swapping; None where it does not say."""
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def _disk(home: Home) -> Iterator[Finding]:
    places = {"the platform": home.path, "backups": home.backup_directory}
    seen: set[int] = set()
    for what, path in places.items():
        there = next(one for one in (path, *path.parents) if one.exists())
        if there.stat().st_dev in seen:
            continue
        seen.add(there.stat().st_dev)
        usage = shutil.disk_usage(there)
        shown = f"{usage.free / _GIB:.1f} GiB are free for {what} ({there})"
        if usage.free < _GIB:
            yield Finding("wrong", f"{shown}: PostgreSQL and NATS stop when there are none.")
        elif usage.free < 5 * _GIB or usage.free < usage.total * 0.1:
            yield Finding("look", f"{shown}.")
        else:
            yield Finding("ok", f"{shown}.")


def _files(_: Home) -> Iterator[Finding]:
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)  # which the gateway takes
    if most != resource.RLIM_INFINITY and most < 4096:
        yield Finding("look", f"A process may open {most} files; many streams want more (ulimit).")
    else:
        yield Finding("ok", "A process may open as many files as it will need.")


def _settings(home: Home) -> Iterator[Finding]:
    if not (home.secrets / "passwords.json").exists():
        yield Finding("ok", "Passwords and keys are made by the first start.")
        return
    kept = secrets.read(home)
    missing = [name for name in secrets.PASSWORDS if name not in kept.passwords]
    told = programs.administration(home, secrets.make(home) if missing else kept)
    pools: dict[str, int] = {}
    for service in SERVICES:
        try:
            settings = settings_of(service, told)
        except ValidationError as error:
            for one in error.errors():
                name = "_".join(str(part) for part in one["loc"])
                yield Finding("wrong", f"{service}: the setting {name}: {one['msg']}.")
        else:
            pools[service] = settings.database_pool_size + settings.request_database_pool_size
    if len(pools) == len(SERVICES):
        yield Finding("ok", "Every service can read its settings.")
        yield connections(pools, PROCESSES, int(postgres.OPTIONS["max_connections"]))


def settings_of(service: str, told: Mapping[str, str]) -> DatabaseSettings:
    """The settings as the service will read them; raises ValidationError."""
    before = dict(os.environ)
    os.environ.update(told)
    try:
        return importlib.import_module(f"services.{service}.settings").Settings()
    finally:
        os.environ.clear()
        os.environ.update(before)


def connections(pools: Mapping[str, int], processes: Mapping[str, int], most: int) -> Finding:
    """Whether all pools of all processes fit into what PostgreSQL takes."""
    asked = sum(size * processes[service] for service, size in pools.items()) + SPARE_CONNECTIONS
    if asked > most:
        return Finding(
            "wrong",
            f"All pools together may want {asked} connections, and PostgreSQL takes {most}: lower "
            "…_DATABASE_POOL_SIZE, or raise max_connections.",
        )
    return Finding("ok", f"All pools together want at most {asked} of {most} connections.")


def _backups(home: Home) -> Iterator[Finding]:
    if home.backups is None:
        yield Finding("look", "No backups are scheduled: POSTBUS_BACKUP_DIR says where to.")
        return
    there = next(path for path in (home.backups, *home.backups.parents) if path.exists())
    if not os.access(there, os.W_OK):
        yield Finding("wrong", f"Backups are to be in {home.backups}, which cannot be written.")
    elif there.stat().st_dev == home.path.parent.stat().st_dev:
        yield Finding("look", f"Backups are on the disk that they are of ({there}).")
    else:
        yield Finding("ok", f"Backups are made in {home.backups}.")


LOOKS: tuple[Callable[[Home], Iterator[Finding]], ...] = (
    _programs,
    _permissions,
    _ports,
    _memory,
    _disk,
    _files,
    _settings,
    _backups,
)

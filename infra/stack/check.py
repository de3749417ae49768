"""`python -m infra.stack.check`: in plain words, before the stack starts, what is missing or wrong.

Words that are given go to Docker Compose (`--profile mail`). Nothing is started or changed.
"""

import asyncio
import json
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from pydantic import ValidationError

from infra.dev.startup_check import (
    Finding,
    available_memory_bytes,
    connections,
    settings_of,
    show,
)
from shared.telemetry.secret_files import with_password

ROOT = Path(__file__).parents[2]
OLDEST_COMPOSE = (2, 24)
_GIB = 1024**3
Container = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stack:
    """What Docker Compose reads out of compose.yaml and .env, and where."""

    clone: Path
    config: Mapping[str, Any]

    @property
    def containers(self) -> Mapping[str, Container]:
        return self.config["services"]

    @property
    def services(self) -> dict[str, Container]:
        """What runs the four services, by the containers' names."""
        return {
            name: container for name, container in self.containers.items() if service_of(container)
        }


class Unreadable(Exception):
    """Docker Compose does not read the configuration; the message is its own."""


def service_of(container: Container) -> str:
    """The service that a container runs; empty for servers and for the steps of a deploy."""
    return container.get("build", {}).get("args", {}).get("SERVICE", "")


def ask(*words: str, clone: Path = ROOT) -> str:
    """What Docker answers; raises Unreadable with its reason."""
    try:
        done = subprocess.run(
            ["docker", *words], cwd=clone, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreadable(str(error)) from error
    if done.returncode:
        raise Unreadable(done.stderr.strip())
    return done.stdout


def look(clone: Path, words: list[str]) -> Iterator[Finding]:
    """Every finding, as far as one can look."""
    try:
        version = ask("compose", "version", "--short", clone=clone).strip()
    except Unreadable as error:
        yield Finding("wrong", f"Docker with its Compose plugin is needed: {error}")
        return
    parts = tuple(int(part) for part in version.lstrip("v").split(".")[:2] if part.isdecimal())
    if parts < OLDEST_COMPOSE:
        yield Finding("wrong", f"Docker Compose {version} is too old; 2.24 is needed.")
        return
    yield from _env(clone)
    try:
        config = ask("compose", *words, "config", "--format", "json", clone=clone)
    except Unreadable as error:
        yield Finding("wrong", f"Docker Compose cannot read the configuration: {error}")
        return
    stack = Stack(clone, json.loads(config))
    yield from _secrets(stack)
    yield from _names(stack)
    pools = yield from _settings(stack)
    if pools is not None:
        yield from _database(stack, pools)
    yield from _memory(stack, Path("/proc/meminfo").read_text())
    yield from _backups(stack)
    try:
        place = Path(ask("info", "--format", "{{.DockerRootDir}}", clone=clone).strip())
    except Unreadable as error:
        yield Finding("wrong", f"Docker does not answer: {error}")
        return
    yield from _disk(place)
    yield from _images(stack)
    if ask("compose", *words, "ps", "--quiet", clone=clone).strip():
        yield Finding("ok", "The stack runs; its ports are its own.")
    else:
        yield from _ports(stack)


def _env(clone: Path) -> Iterator[Finding]:
    env = clone / ".env"
    if not env.exists():
        yield Finding("look", "There is no .env: everything is as in .env.example, at localhost.")
    elif env.stat().st_mode & 0o077:
        mode = stat.filemode(env.stat().st_mode)
        yield Finding("wrong", f"Others may read .env ({mode}): chmod 600 .env.")


def _secrets(stack: Stack) -> Iterator[Finding]:
    files = [Path(one["file"]) for one in stack.config.get("secrets", {}).values()]
    missing = [file.name for file in files if not file.exists() or not file.stat().st_size]
    if missing:
        yield Finding("wrong", f"Passwords are missing ({', '.join(missing)}): ./just secrets.")
    elif any(file.parent.stat().st_mode & 0o077 for file in files):
        yield Finding("wrong", "Others may enter secrets/: chmod 700 secrets.")
    else:
        yield Finding("ok", "Every password is there, and for nobody else to read.")


def _names(stack: Stack) -> Iterator[Finding]:
    name = stack.containers["certs"]["environment"]["POSTBUS_HOSTNAME"]
    if name == "localhost":
        yield Finding("look", "POSTBUS_HOSTNAME is localhost: nobody comes from elsewhere.")
        return
    try:
        socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Finding("wrong", f"{name} leads nowhere: {error.strerror}. See DNS in the guide.")
    else:
        yield Finding("ok", f"{name} is in DNS.")
    if "acme" not in stack.containers:
        yield Finding("look", "No --profile acme: browsers do not know who issued the certificate.")
    elif not stack.containers["acme"]["environment"].get("ACME_EMAIL"):
        yield Finding("wrong", "--profile acme wants ACME_EMAIL.")


def _settings(stack: Stack) -> Iterator[Finding]:
    """Whether each service can read what it is told; returns the pools of each container."""
    pools: dict[str, int] = {}
    for name, container in stack.services.items():
        told = {
            variable: value or ""
            for variable, value in container["environment"].items()
            if not variable.endswith("_PASSWORD_FILE") and value is not None
        }
        try:
            settings = settings_of(service_of(container), told)
        except ValidationError as error:
            for one in error.errors():
                setting = "_".join(str(part) for part in one["loc"])
                yield Finding("wrong", f"{name}: the setting {setting}: {one['msg']}.")
        else:
            pools[name] = settings.database_pool_size + settings.request_database_pool_size
    if len(pools) < len(stack.services):
        return None
    yield Finding("ok", "Every service can read its settings.")
    return pools


def _database(stack: Stack, pools: Mapping[str, int]) -> Iterator[Finding]:
    processes = {
        name: int(container.get("deploy", {}).get("replicas", 1))
        for name, container in stack.services.items()
    }
    if "postgres" in stack.containers:
        (most,) = (
            int(word.partition("=")[2])
            for word in stack.containers["postgres"]["command"]
            if word.startswith("-cmax_connections=")
        )
        yield connections(pools, processes, most)
        return
    try:
        most, mighty = asyncio.run(_elsewhere(stack))
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        says = str(error) or type(error).__name__
        yield Finding("wrong", f"The database elsewhere cannot be come to as migrate does: {says}")
        return
    if not mighty:
        yield Finding("wrong", "postbus_admin may make no roles there: ALTER ROLE … CREATEROLE.")
    yield Finding("ok", "The database elsewhere answers.")
    yield connections(pools, processes, most)


async def _elsewhere(stack: Stack) -> tuple[int, bool]:
    """How many connections the server takes, and whether the administrator may make roles."""
    migrate = stack.containers["migrate"]
    url = migrate["environment"]["DATABASE_ADMIN_URL"]
    for mount in migrate.get("volumes", []):
        if mount.get("type") == "bind":
            url = url.replace(f"sslrootcert={mount['target']}", f"sslrootcert={mount['source']}")
    password = Path(stack.config["secrets"]["database_admin_password"]["file"]).read_text()
    connection = await asyncpg.connect(with_password(url, password.strip()), timeout=10)
    try:
        most = int(await connection.fetchval("SHOW max_connections"))
        mighty = await connection.fetchval(
            "SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"
        )
        return most, mighty
    finally:
        await connection.close()


def _memory(stack: Stack, meminfo: str) -> Iterator[Finding]:
    available = available_memory_bytes(meminfo)
    if available is None:
        return
    reserved = sum(
        int(container["deploy"]["resources"]["reservations"]["memory"])
        * int(container["deploy"].get("replicas", 1))
        for container in stack.containers.values()
    )
    shown = f"{available / _GIB:.1f} GiB of memory are free, {reserved / _GIB:.1f} are reserved"
    how = "wrong" if available < reserved else "look" if available < 2 * reserved else "ok"
    yield Finding(how, f"{shown}.")


def _backups(stack: Stack) -> Iterator[Finding]:
    if "backup" not in stack.containers:
        yield Finding("look", "No backups are made here: the provider of the database makes them.")
        return
    (mount,) = (one for one in stack.containers["backup"]["volumes"] if one["target"] == "/backups")
    if mount["type"] == "volume":
        yield Finding("look", "Backups are on this disk: POSTBUS_BACKUP_DIR names another place.")
    elif not (place := Path(mount["source"])).is_dir():
        yield Finding("wrong", f"Backups are to be in {place}, which is no directory.")
    else:
        yield Finding("ok", f"Backups are made in {place}.")


def _disk(place: Path) -> Iterator[Finding]:
    if not place.exists():
        return  # Docker runs elsewhere
    usage = shutil.disk_usage(place)
    shown = f"{usage.free / _GIB:.1f} GiB are free where Docker keeps its volumes ({place})"
    low = usage.free < 5 * _GIB or usage.free < usage.total * 0.1
    yield Finding("wrong" if usage.free < _GIB else "look" if low else "ok", f"{shown}.")


def _images(stack: Stack) -> Iterator[Finding]:
    missing: list[str] = []
    for image in sorted({container["image"] for container in stack.containers.values()}):
        try:
            ask("image", "inspect", "--format", "{{.Id}}", image, clone=stack.clone)
        except Unreadable:
            missing.append(image)
    never = {c["image"] for c in stack.containers.values() if c.get("pull_policy") == "never"}
    if unbuilt := [image for image in missing if image in never]:
        yield Finding("wrong", f"Images are not built ({', '.join(unbuilt)}): ./just build.")
    elif missing:
        yield Finding("ok", f"Images are pulled by the start: {', '.join(missing)}.")
    else:
        yield Finding("ok", "Every image is on this machine.")


def _ports(stack: Stack) -> Iterator[Finding]:
    taken = [
        f"{port['published']} ({name})"
        for name, container in stack.containers.items()
        for port in container.get("ports", [])
        if not _is_free(port.get("host_ip", ""), int(port["published"]))
    ]
    if taken:
        yield Finding("wrong", f"Somebody has the ports {', '.join(taken)}; .env may name others.")
    else:
        yield Finding("ok", "Every port that is published is free.")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            return True  # Docker may have it
        except OSError:
            return False
    return True


def main() -> int:
    return show(look(ROOT, sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())

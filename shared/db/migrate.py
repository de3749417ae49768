"""Bring every service's schema to this release: one step per deploy, under one lock.

A service's migrations are numbered SQL files in `services/<name>/migrations`, applied in order,
each once, each in a transaction of its own, as `<name>_owner`. They only go forward. The
administrator need not be a superuser: the right to create roles and schemas is enough.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from urllib.parse import unquote, urlsplit

import asyncpg
import structlog
from uuid_utils.compat import uuid7

from shared.db.restoration import SETTING

log = structlog.get_logger()

_LOCK = 0x706F7374627573  # "postbus"
_FILE = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_ROLE = re.compile(r"^[a-z_]+$")


class MigrationError(Exception):
    """The database cannot be brought to this release."""


@dataclass(frozen=True, slots=True)
class Login:
    """A role that a service comes as, and its password."""

    role: str
    password: str

    @classmethod
    def of(cls, url: str) -> "Login":
        parts = urlsplit(url)
        if not parts.username or parts.password is None or not _ROLE.match(parts.username):
            raise MigrationError("a database address must name a plain role and its password")
        return cls(unquote(parts.username), unquote(parts.password))


@dataclass(frozen=True, slots=True)
class Step:
    """One migration file."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def steps_of(service: str) -> list[Step]:
    """A service's migrations in order; raises MigrationError for a gap or a strange name."""
    steps: list[Step] = []
    for entry in resources.files(f"services.{service}").joinpath("migrations").iterdir():
        if not entry.name.endswith(".sql"):
            continue
        found = _FILE.match(entry.name)
        if not found:
            raise MigrationError(f"{service}: {entry.name} is not NNNN_what_happens.sql")
        steps.append(Step(int(found[1]), entry.name, entry.read_text("utf-8")))
    steps.sort(key=lambda step: step.number)
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise MigrationError(f"{service}: migrations are not numbered 1 to {len(steps)}")
    return steps


async def migrate(admin_url: str, logins: dict[str, tuple[Login, Login]]) -> list[str]:
    """Apply what is missing for each service; return what was applied."""
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        await connection.execute("SET lock_timeout = '60s'")
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        applied: list[str] = []
        for service, (own, request) in logins.items():
            await _roles(connection, service, own, request)
            applied += await _steps(connection, service)
        restored = await connection.fetchval("SELECT current_setting($1, true)", SETTING)
        if restored:
            await _note(connection, list(logins), restored)
        return applied
    finally:
        await connection.close()


async def note_restoration(admin_url: str, services: Sequence[str]) -> str:
    """Say that this database came out of a backup that something else brought back."""
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        restored = str(uuid7())
        await _note(connection, services, restored)
    finally:
        await connection.close()
    return restored


async def _note(connection: asyncpg.Connection, services: Sequence[str], restored: str) -> None:
    """All services, or none: one that went on as if nothing had been would send again."""
    async with connection.transaction():
        for service in services:
            await connection.execute(f"SET LOCAL ROLE {service}_owner")
            await connection.execute(f"SET LOCAL search_path = {service}")
            await connection.execute(
                "INSERT INTO restoration (restoration_id) VALUES ($1) ON CONFLICT DO NOTHING",
                restored,
            )
            await connection.execute("RESET ROLE")


async def _roles(connection: asyncpg.Connection, service: str, own: Login, request: Login) -> None:
    owner = f"{service}_owner"
    if (own.role, request.role) != (service, f"{service}_request"):
        raise MigrationError(f"{service} comes as {service} and {service}_request, no other roles")
    for role, login in ((owner, None), (service, own), (request.role, request)):
        there = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
        if not there:
            await connection.execute(f"CREATE ROLE {role} NOINHERIT")
        if login is None:
            await connection.execute(f"ALTER ROLE {role} NOLOGIN")
        else:
            # A utility statement takes no parameters; quote_literal is PostgreSQL's own.
            quoted = await connection.fetchval("SELECT quote_literal($1)", login.password)
            await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD {quoted}")
        await connection.execute(f"ALTER ROLE {role} SET search_path = {service}")
    # CREATEROLE alone does not let an administrator act as the role it made (PostgreSQL 16+).
    await connection.execute(f"GRANT {owner} TO CURRENT_USER")
    # A migration may hand a SECURITY DEFINER function to the service's role: under FORCE ROW LEVEL
    # SECURITY one that belongs to the tables' owner sees nothing.
    await connection.execute(f"GRANT {service} TO {owner}")
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {owner}")
    await connection.execute(f"REVOKE ALL ON SCHEMA {service} FROM PUBLIC")
    await connection.execute(f"GRANT USAGE ON SCHEMA {service} TO {service}, {request.role}")


async def _steps(connection: asyncpg.Connection, service: str) -> list[str]:
    applied: list[str] = []
    await connection.execute(f"SET ROLE {service}_owner")
    try:
        await connection.execute(f"SET search_path = {service}")
        await connection.execute(
            """
            CREATE TABLE IF NOT EXISTS migration (
                number integer PRIMARY KEY,
                name text NOT NULL,
                digest text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """
        )
        rows = await connection.fetch("SELECT number, name, digest FROM migration")
        known = {row["number"]: row for row in rows}
        steps = steps_of(service)
        if newer := set(known) - {step.number for step in steps}:
            raise MigrationError(
                f"{service}: the database is newer than this release (migration {max(newer)})"
            )
        for step in steps:
            if step.number in known:
                if known[step.number]["digest"] != step.digest:
                    raise MigrationError(f"{service}: {step.name} was changed after it was applied")
                continue
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '4s'")
                await connection.execute(step.sql)
                await connection.execute(
                    "INSERT INTO migration (number, name, digest) VALUES ($1, $2, $3)",
                    step.number,
                    step.name,
                    step.digest,
                )
            applied.append(f"{service}/{step.name}")
            log.info("migration applied", service=service, migration=step.name)
    finally:
        await connection.execute("RESET ROLE")
        await connection.execute("RESET search_path")
    return applied

"""Bring every service's schema to this release: one step per deploy, under one lock.

A service's migrations are numbered SQL files in `services/<name>/migrations`, applied in order,
each once, each in a transaction of its own, as `<name>_owner`. They only go forward. The
administrator need not be a superuser: the right to create roles and schemas is enough.

Whoever waits for a table's lock holds up all who come after. A migration therefore waits for
moments only, lets everybody through, and tries again; after `PATIENCE_SECONDS` it gives up and has
changed nothing.
"""

import asyncio
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

#: How long a table that somebody uses is tried for, before the deploy is given up.
PATIENCE_SECONDS = 120.0
#: How long a try may hold up whoever comes to the table, and how long they then have it.
TRY_SECONDS = 2.0
PAUSE_SECONDS = 3.0
#: How long a deploy waits for another one that migrates.
TURN_SECONDS = 60.0

LOCK = 0x706F7374627573  # "postbus"
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
        await connection.execute(f"SET lock_timeout = {int(TURN_SECONDS * 1000)}")
        try:
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        except asyncpg.LockNotAvailableError as error:
            raise MigrationError(
                f"another deploy has been migrating for {TURN_SECONDS:.0f} s; run it again later"
            ) from error
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
            await _apply(connection, service, step)
            applied.append(f"{service}/{step.name}")
            log.info("migration applied", service=service, migration=step.name)
    finally:
        await connection.execute("RESET ROLE")
        await connection.execute("RESET search_path")
    return applied


async def _apply(connection: asyncpg.Connection, service: str, step: Step) -> None:
    """Apply one migration, or nothing of it; raises MigrationError when its tables stay in use."""
    clock = asyncio.get_running_loop()
    until = clock.time() + PATIENCE_SECONDS
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {int(TRY_SECONDS * 1000)}")
                await connection.execute(step.sql)
                await connection.execute(
                    "INSERT INTO migration (number, name, digest) VALUES ($1, $2, $3)",
                    step.number,
                    step.name,
                    step.digest,
                )
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            users = await _users(connection, service)
            if clock.time() + PAUSE_SECONDS >= until:
                raise MigrationError(
                    f"{service}: {step.name} was not applied, and changed nothing: its tables were"
                    f" in use for {PATIENCE_SECONDS:.0f} s (now by {users}). Run it again later, or"
                    " end who holds them: pg_stat_activity says what they do"
                ) from error
            log.warning("tables in use", service=service, migration=step.name, users=users)
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return


async def _users(connection: asyncpg.Connection, service: str) -> str:
    """Who holds a lock on a service's tables at this moment, in words."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT pid, coalesce(usename, 'the server itself') AS who
          FROM pg_locks JOIN pg_class ON pg_class.oid = relation JOIN pg_stat_activity USING (pid)
         WHERE relnamespace = to_regnamespace($1) AND granted AND pid <> pg_backend_pid()
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
         ORDER BY pid
        """,
        service,
    )
    return ", ".join(f"{row['who']}, process {row['pid']}" for row in rows) or "nobody any more"

"""`python -m infra.own_database`: a database of ours on a fresh server, and its administrator.

The one step that a superuser must do. It is what a managed PostgreSQL gives anyway: a database
and a role that owns it and may create roles. Run it as often as you like; it sets the password
anew. DATABASE_SUPERUSER_URL says where and as whom, DATABASE_ADMIN_URL what is to be, and
BACKUP_DATABASE_URL, where backups are made, the role that makes them; their passwords may be
beside them (DATABASE_ADMIN_PASSWORD) or in files (DATABASE_ADMIN_PASSWORD_FILE).
"""

import asyncio
import os
import sys
from urllib.parse import urlsplit

import asyncpg

from shared.db.migrate import Login, MigrationError
from shared.telemetry.secret_files import SecretFileUnreadable, secret, with_password


async def own_database(
    superuser_url: str,
    admin_url: str,
    backup_url: str | None = None,
    monitor_url: str | None = None,
) -> None:
    """Make the database and the role that an administrator's address names, or mend the role.

    The role that makes backups may replicate, which reads everything and writes nothing; the one
    that watches reads what the server counts, and no table.
    """
    admin = Login.of(admin_url)
    database = urlsplit(admin_url).path.strip("/")
    connection = await asyncpg.connect(superuser_url, timeout=10)
    try:
        # Role and database names are ours, but an address is what somebody wrote.
        role = await connection.fetchval("SELECT quote_ident($1)", admin.role)
        name = await connection.fetchval("SELECT quote_ident($1)", database)
        password = await connection.fetchval("SELECT quote_literal($1)", admin.password)
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", admin.role):
            await connection.execute(f"CREATE ROLE {role} LOGIN CREATEROLE")
        await connection.execute(f"ALTER ROLE {role} PASSWORD {password}")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f"CREATE DATABASE {name} OWNER {role}")
        if backup_url:
            await _role(connection, Login.of(backup_url), "REPLICATION")
        if monitor_url:
            await _role(connection, Login.of(monitor_url), "")
            watcher = await connection.fetchval(
                "SELECT quote_ident($1)", Login.of(monitor_url).role
            )
            await connection.execute(f"GRANT pg_monitor TO {watcher}")
    finally:
        await connection.close()
    if monitor_url:
        await _statements_are_counted(superuser_url, database)


async def _statements_are_counted(superuser_url: str, database: str) -> None:
    """Have the view of them in our database, where the server loads the library.

    It keeps the text of statements, which of ALTER ROLE is a password: compose.yaml has those left
    out, and what an earlier release counted is forgotten.
    """
    connection = await asyncpg.connect(superuser_url, database=database, timeout=10)
    try:
        if not await connection.fetchval(
            """
            SELECT current_setting('pg_stat_statements.track_utility', true) = 'off'
               AND EXISTS (SELECT FROM pg_available_extensions
                            WHERE name = 'pg_stat_statements' AND installed_version IS NULL)
            """
        ):
            return
        async with connection.transaction():
            await connection.execute("CREATE EXTENSION pg_stat_statements SCHEMA public")
            await connection.execute("SELECT public.pg_stat_statements_reset()")
    finally:
        await connection.close()


async def _role(connection: asyncpg.Connection, login: Login, right: str) -> None:
    role = await connection.fetchval("SELECT quote_ident($1)", login.role)
    password = await connection.fetchval("SELECT quote_literal($1)", login.password)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", login.role):
        await connection.execute(f"CREATE ROLE {role} LOGIN {right}")
    await connection.execute(f"ALTER ROLE {role} LOGIN {right} PASSWORD {password}")


def main() -> int:
    try:
        asyncio.run(
            own_database(
                _address("DATABASE_SUPERUSER"),
                _address("DATABASE_ADMIN"),
                _address("BACKUP_DATABASE") if "BACKUP_DATABASE_URL" in os.environ else None,
                _address("MONITOR_DATABASE") if "MONITOR_DATABASE_URL" in os.environ else None,
            )
        )
    except KeyError as missing:
        print(f"own_database: {missing.args[0]} is not set", file=sys.stderr)
        return 2
    except (SecretFileUnreadable, MigrationError, asyncpg.PostgresError, OSError) as error:
        print(f"own_database: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def _address(use: str) -> str:
    return with_password(os.environ[f"{use}_URL"], secret(f"{use}_PASSWORD"))


if __name__ == "__main__":
    sys.exit(main())

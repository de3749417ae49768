"""What tests stand on: one real PostgreSQL and one real NATS per session, a database per worker."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import nats
from nats.aio.client import Client

from infra.dev.nats import EmbeddedNats
from infra.dev.postgres import EmbeddedPostgres
from infra.dev.process import free_port
from infra.own_database import own_database
from shared.bus.nats_config import USERS, nats_config
from shared.bus.topology import STREAMS, apply
from shared.contracts.catalogue import SERVICES
from shared.db.migrate import Login, migrate

DATABASE = "postbus"
PASSWORD = "test"  # of a server that only this test session can reach


@dataclass(frozen=True, slots=True)
class Platform:
    """A migrated database and an applied bus, and how to come to them as anybody."""

    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    database: str
    directory: Path
    tables: "Tables"

    def database_url(self, role: str) -> str:
        return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{self.postgres.port}/{self.database}"

    @property
    def admin_database_url(self) -> str:
        return self.postgres.url.rpartition("/")[0] + f"/{self.database}"

    def bus_url(self, user: str) -> str:
        return f"nats://{user}:{PASSWORD}@127.0.0.1:{self.nats.port}"

    def environment(self, service: str) -> dict[str, str]:
        """What a process of this service is given to find its way."""
        prefix = service.upper()
        return {
            f"{prefix}_DATABASE_URL": self.database_url(service),
            f"{prefix}_REQUEST_DATABASE_URL": self.database_url(f"{service}_request"),
            f"{prefix}_BUS_URL": self.bus_url(service),
            f"{prefix}_DIAL_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        }

    async def empty(self) -> None:
        """Forget every row and every message, but no table, stream or consumer."""
        await self.tables.empty()
        async with self.admin_bus() as client:
            jetstream = client.jetstream()
            await asyncio.gather(*(jetstream.purge_stream(stream.name) for stream in STREAMS))

    @asynccontextmanager
    async def admin_bus(self) -> AsyncGenerator[Client]:
        client = await nats.connect(self.bus_url("admin"))
        try:
            yield client
        finally:
            await client.close()


class Tables:
    """All tables of all services, and the way to empty them.

    The connection is kept, for what it has learnt of the tables takes it longer than emptying them.
    """

    #: Of these rows are deleted, which costs next to nothing; a larger one is truncated.
    _LARGE_BYTES = 1024 * 1024

    def __init__(self, superuser_url: str) -> None:
        self._url = superuser_url
        self._connection: asyncpg.Connection | None = None

    async def empty(self) -> None:
        """Forget every row, also of what is being written at the moment."""
        connection = await self._connected()
        sizes: dict[str, int] = dict(
            await connection.fetch(
                """
                SELECT format('%I.%I', nspname, relname), pg_relation_size(pg_class.oid)
                  FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                 WHERE nspname = ANY($1) AND relkind IN ('r', 'p') AND relname <> 'migration'
                """,
                list(SERVICES),
            )
        )
        look = " UNION ALL ".join(
            f"(SELECT '{name}' AS name FROM {name} LIMIT 1)" for name in sizes
        )
        while filled := [name for (name,) in (await connection.fetch(look) if sizes else ())]:
            large = [name for name in filled if sizes[name] > self._LARGE_BYTES]
            async with connection.transaction():
                # Whoever writes to them ends first, and what they wrote goes, too.
                await connection.execute(f"LOCK TABLE {', '.join(filled)} IN EXCLUSIVE MODE")
                if large:
                    await connection.execute(f"TRUNCATE {', '.join(large)} CASCADE")
                await connection.execute(";".join(f"DELETE FROM {name}" for name in filled))
        await connection.execute(
            """
            SELECT setval(format('%I.%I', schemaname, sequencename), start_value, false)
              FROM pg_sequences WHERE schemaname = ANY($1) AND last_value IS NOT NULL
            """,
            list(SERVICES),
        )

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _connected(self) -> asyncpg.Connection:
        """A test may have ended the server meanwhile."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url)
            # No trigger and no foreign key: what is referred to goes as well.
            await self._connection.execute("SET session_replication_role = replica")
        return self._connection


@asynccontextmanager
async def running_platform(kept: Path | None = None) -> AsyncGenerator[Platform]:
    """Start both servers in a directory of their own and bring them to this release.

    What PostgreSQL holds stays in `kept`, where one is given, and is there the next time.
    """
    directory = Path(tempfile.mkdtemp(prefix="postbus-test-"))
    # Sized for tests; JetStream only reserves, but a small disk would refuse.
    os.environ.setdefault("BUS_MAIL_MAX_MEBIBYTES", "256")
    os.environ.setdefault("BUS_FILL_MAX_MEBIBYTES", "256")
    port = free_port()
    config = directory / "nats.conf"
    config.write_text(
        nats_config(
            host="127.0.0.1",
            port=port,
            store=directory / "nats",
            passwords=dict.fromkeys(USERS, PASSWORD),
        )
    )
    postgres = EmbeddedPostgres((kept or directory) / "postgres", kept=kept is not None)
    bus = EmbeddedNats(config, port)
    try:
        async with postgres, bus:
            tables = Tables(postgres.url.rpartition("/")[0] + f"/{DATABASE}")
            platform = Platform(postgres, bus, DATABASE, directory, tables)
            await _hurry(platform)
            await bring(platform)
            async with platform.admin_bus() as client:
                await apply(client)
            try:
                yield platform
            finally:
                await tables.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def _hurry(platform: Platform) -> None:
    """No test here cuts the power: what a killed process wrote is there without fsync, too.

    The stories run with every durability on.
    """
    superuser = await asyncpg.connect(platform.postgres.url)
    try:
        # Not synchronous_commit: without it a killed server forgets what it has committed.
        for setting in ("fsync", "full_page_writes"):
            await superuser.execute(f"ALTER SYSTEM SET {setting} = off")
        await superuser.execute("SELECT pg_reload_conf()")
    finally:
        await superuser.close()


async def bring(platform: Platform) -> None:
    """Bring its database to this release, and make it where there is none.

    As on a managed server: the administrator owns the database and is no superuser.
    """
    admin = f"postgresql://postbus_admin:{PASSWORD}@127.0.0.1:{platform.postgres.port}/"
    await own_database(platform.postgres.url, admin + platform.database)
    await migrate(
        admin + platform.database,
        {
            service: (
                Login.of(platform.database_url(service)),
                Login.of(platform.database_url(f"{service}_request")),
            )
            for service in SERVICES
        },
    )

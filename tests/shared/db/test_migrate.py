"""Migrations: forward only, by one step, and never by a superuser's rights alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
import structlog

from infra.own_database import own_database
from shared.contracts.catalogue import SERVICES
from shared.db import migrate as module
from shared.db.migrate import Login, MigrationError, Step, migrate, steps_of
from tests.platform import PASSWORD, Platform


def logins(platform: Platform) -> dict[str, tuple[Login, Login]]:
    return {
        service: (
            Login.of(platform.database_url(service)),
            Login.of(platform.database_url(f"{service}_request")),
        )
        for service in SERVICES
    }


def as_administrator(platform: Platform) -> str:
    """Who applied the migrations: may create roles and schemas, and is no superuser."""
    return f"postgresql://postbus_admin:{PASSWORD}@127.0.0.1:{platform.postgres.port}/postbus"


async def test_the_administrator_who_migrates_is_no_superuser(platform: Platform) -> None:
    admin = await asyncpg.connect(as_administrator(platform))
    assert await admin.fetchval("SHOW is_superuser") == "off"
    assert not await admin.fetchval(
        "SELECT rolbypassrls FROM pg_roles WHERE rolname = current_user"
    )
    await admin.close()


async def test_migrating_twice_applies_nothing(platform: Platform) -> None:
    assert await migrate(as_administrator(platform), logins(platform)) == []


async def test_an_applied_migration_that_was_changed_is_refused(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(service: str) -> list[Step]:
        return [Step(step.number, step.name, step.sql + "\n-- ") for step in steps_of(service)]

    monkeypatch.setattr(module, "steps_of", changed)
    with pytest.raises(MigrationError, match="was changed after it was applied"):
        await migrate(as_administrator(platform), logins(platform))


async def test_an_older_release_refuses_a_newer_database(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "steps_of", lambda service: steps_of(service)[:-1])
    with pytest.raises(MigrationError, match="newer than this release"):
        await migrate(as_administrator(platform), logins(platform))


async def test_a_migration_that_fails_leaves_nothing_behind(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(service: str) -> list[Step]:
        steps = steps_of(service)
        bad = "CREATE TABLE half_made (x int); SELECT nonsense;"
        return [*steps, Step(steps[-1].number + 1, "9999_breaks.sql", bad)]

    monkeypatch.setattr(module, "steps_of", broken)
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(as_administrator(platform), logins(platform))
    admin = await asyncpg.connect(platform.admin_database_url)
    assert await admin.fetchval("SELECT to_regclass('api.half_made')") is None
    await admin.close()


@pytest_asyncio.fixture
async def busy(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """A database of its own, in which somebody has a transaction open that read a table."""
    admin_url = as_administrator(platform).rpartition("/")[0] + "/busy_tables"
    await own_database(platform.postgres.url, admin_url)
    await migrate(admin_url, {"sender": logins(platform)["sender"]})

    def one_more(service: str) -> list[Step]:
        steps = steps_of(service)
        sql = "CREATE TABLE beside (x int); ALTER TABLE submission ADD COLUMN more integer"
        return [*steps, Step(steps[-1].number + 1, "9999_more.sql", sql)]

    monkeypatch.setattr(module, "steps_of", one_more)
    monkeypatch.setattr(module, "TRY_SECONDS", 0.2)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.1)
    reader = await asyncpg.connect(
        platform.database_url("sender").replace("/postbus", "/busy_tables")
    )
    await reader.execute("BEGIN")
    await reader.fetch("SELECT FROM submission")
    yield admin_url, reader
    await reader.close()
    superuser = await asyncpg.connect(platform.postgres.url)
    await superuser.execute("DROP DATABASE busy_tables WITH (FORCE)")
    await superuser.close()


async def true_of(asked: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await asked():
            await asyncio.sleep(0.02)


async def test_a_migration_whose_table_stays_in_use_is_given_up_and_changes_nothing(
    platform: Platform,
    busy: tuple[str, asyncpg.Connection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin_url, reader = busy
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 1.0)
    holder = reader.get_server_pid()
    with pytest.raises(MigrationError) as refused:
        await migrate(admin_url, {"sender": logins(platform)["sender"]})
    said = str(refused.value)
    assert said.startswith("sender: 9999_more.sql was not applied, and changed nothing")
    assert f"(now by sender, process {holder})" in said
    await reader.execute("SELECT state FROM submission; COMMIT")
    admin = await asyncpg.connect(admin_url)
    await admin.execute("SET ROLE sender_owner; SET search_path = sender")
    assert await admin.fetchval("SELECT to_regclass('beside')") is None
    assert not await admin.fetchval("SELECT 1 FROM migration WHERE name = '9999_more.sql'")
    await admin.execute("SELECT state FROM submission")
    await admin.close()


async def test_a_migration_lets_others_through_and_is_applied_once_its_table_is_free(
    platform: Platform, busy: tuple[str, asyncpg.Connection]
) -> None:
    admin_url, reader = busy
    other = await asyncpg.connect(
        platform.database_url("sender").replace("/postbus", "/busy_tables")
    )
    with structlog.testing.capture_logs() as said:
        migrating = asyncio.create_task(migrate(admin_url, {"sender": logins(platform)["sender"]}))

        async def tried(times: int) -> bool:
            return sum(line["event"] == "tables in use" for line in said) >= times

        try:
            await true_of(lambda: tried(1))
            # Whoever comes while it waits is not kept until it has what it waits for.
            await asyncio.wait_for(other.fetch("SELECT FROM submission"), 60)
            await true_of(lambda: tried(3))
            await reader.execute("COMMIT")
            assert await migrating == ["sender/9999_more.sql"]
        finally:
            migrating.cancel()
            await other.close()


async def test_who_finds_another_deploy_migrating_says_so(
    platform: Platform, busy: tuple[str, asyncpg.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin_url, _ = busy
    monkeypatch.setattr(module, "TURN_SECONDS", 0.2)
    first = await asyncpg.connect(admin_url)
    await first.execute("SELECT pg_advisory_lock($1)", module.LOCK)
    with pytest.raises(MigrationError, match="another deploy has been migrating"):
        await migrate(admin_url, {"sender": logins(platform)["sender"]})
    await first.close()


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_numbered_without_a_gap(service: str) -> None:
    steps = steps_of(service)
    folder = Path(module.__file__).parents[2] / "services" / service / "migrations"
    assert [step.name for step in steps] == sorted(path.name for path in folder.glob("*.sql"))

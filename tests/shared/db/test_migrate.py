"""Migrations: forward only, by one step, and never by a superuser's rights alone."""

from pathlib import Path

import asyncpg
import pytest

from shared.contracts.catalogue import SERVICES
from shared.db import migrate as module
from shared.db.migrate import Login, MigrationError, Step, migrate, steps_of
from tests.platform import Platform


def logins(platform: Platform) -> dict[str, tuple[Login, Login]]:
    return {
        service: (
            Login.of(platform.database_url(service)),
            Login.of(platform.database_url(f"{service}_request")),
        )
        for service in SERVICES
    }


async def test_migrating_twice_applies_nothing(platform: Platform) -> None:
    assert await migrate(platform.admin_database_url, logins(platform)) == []


async def test_an_applied_migration_that_was_changed_is_refused(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(service: str) -> list[Step]:
        return [Step(step.number, step.name, step.sql + "\n-- ") for step in steps_of(service)]

    monkeypatch.setattr(module, "steps_of", changed)
    with pytest.raises(MigrationError, match="was changed after it was applied"):
        await migrate(platform.admin_database_url, logins(platform))


async def test_an_older_release_refuses_a_newer_database(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "steps_of", lambda service: steps_of(service)[:-1])
    with pytest.raises(MigrationError, match="newer than this release"):
        await migrate(platform.admin_database_url, logins(platform))


async def test_a_migration_that_fails_leaves_nothing_behind(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(service: str) -> list[Step]:
        steps = steps_of(service)
        bad = "CREATE TABLE half_made (x int); SELECT nonsense;"
        return [*steps, Step(steps[-1].number + 1, "9999_breaks.sql", bad)]

    monkeypatch.setattr(module, "steps_of", broken)
    with pytest.raises(asyncpg.UndefinedColumnError):
        await migrate(platform.admin_database_url, logins(platform))
    admin = await asyncpg.connect(platform.admin_database_url)
    assert await admin.fetchval("SELECT to_regclass('api.half_made')") is None
    await admin.close()


async def test_an_administrator_who_is_no_superuser_is_enough(platform: Platform) -> None:
    superuser = await asyncpg.connect(platform.postgres.url)
    await superuser.execute("CREATE ROLE modest LOGIN CREATEROLE PASSWORD 'modest'")
    await superuser.execute("CREATE DATABASE modest OWNER modest")
    # Roles are of the whole server: on one of its own, the administrator makes them itself.
    for service in SERVICES:
        for role in (service, f"{service}_owner", f"{service}_request"):
            await superuser.execute(f"GRANT {role} TO modest WITH ADMIN OPTION")
    try:
        url = f"postgresql://modest:modest@127.0.0.1:{platform.postgres.port}/modest"
        applied = await migrate(url, logins(platform))
        assert {name.split("/")[0] for name in applied} == set(SERVICES)
    finally:
        await superuser.execute("DROP DATABASE modest WITH (FORCE)")
        for service in SERVICES:
            for role in (service, f"{service}_owner", f"{service}_request"):
                await superuser.execute(f"REVOKE {role} FROM modest CASCADE")
        await superuser.execute("DROP ROLE modest")
        await superuser.close()


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_numbered_without_a_gap(service: str) -> None:
    steps = steps_of(service)
    folder = Path(module.__file__).parents[2] / "services" / service / "migrations"
    assert [step.name for step in steps] == sorted(path.name for path in folder.glob("*.sql"))

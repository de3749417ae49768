"""Migrations: forward only, by one step, and never by a superuser's rights alone."""

from pathlib import Path

import asyncpg
import pytest

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


@pytest.mark.parametrize("service", SERVICES)
def test_migrations_are_numbered_without_a_gap(service: str) -> None:
    steps = steps_of(service)
    folder = Path(module.__file__).parents[2] / "services" / service / "migrations"
    assert [step.name for step in steps] == sorted(path.name for path in folder.glob("*.sql"))

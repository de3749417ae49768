"""A PostgreSQL that somebody else runs, and gives a role on that may make roles and databases."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest_asyncio

from infra.dev.postgres import EmbeddedPostgres
from shared.contracts.catalogue import SERVICES
from tests.api.conftest import running_api
from tests.platform import PASSWORD, Platform


@pytest_asyncio.fixture(loop_scope="session")
async def managed(shared_platform: Platform, tmp_path: Path) -> AsyncIterator[Platform]:
    """The bus of the session, and a database server on which nobody of ours is a superuser."""
    async with EmbeddedPostgres(tmp_path / "managed") as server:
        provider = await asyncpg.connect(server.url)
        await provider.execute(
            f"CREATE ROLE postbus_admin LOGIN CREATEROLE CREATEDB PASSWORD '{PASSWORD}'"
        )
        await provider.close()
        platform = replace(shared_platform, postgres=server)
        admin_url = platform.database_url("postbus_admin")
        operator = await asyncpg.connect(admin_url.rpartition("/")[0] + "/postgres")
        await operator.execute("CREATE DATABASE postbus")
        await operator.close()
        yield platform


def migrate(platform: Platform) -> str:
    """What the step of a deploy says, with what compose.yaml tells it."""
    told = {
        f"{service.upper()}_{use}DATABASE_URL": platform.database_url(f"{service}{role}")
        for service in SERVICES
        for use, role in (("", ""), ("REQUEST_", "_request"))
    }
    admin = {"DATABASE_ADMIN_URL": platform.database_url("postbus_admin")}
    done = subprocess.run(
        [sys.executable, "-m", "shared.db", "migrate"],
        env={**os.environ, **told, **admin},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


async def test_a_role_that_makes_roles_is_enough_and_each_person_sees_what_is_theirs(
    managed: Platform, seal_directory: Path
) -> None:
    assert migrate(managed) not in ("", "migrate: 0 applied")
    assert migrate(managed) == "migrate: 0 applied"
    provider = await asyncpg.connect(managed.postgres.url)
    ours = await provider.fetch(
        "SELECT rolname, rolsuper OR rolbypassrls OR rolreplication AS mighty FROM pg_roles"
        " WHERE rolname !~ '^pg_' AND rolname <> $1",
        "postgres",
    )
    await provider.close()
    assert {role["rolname"] for role in ours} == {
        "postbus_admin",
        *(f"{service}{kind}" for service in SERVICES for kind in ("", "_request", "_owner")),
    }
    assert not any(role["mighty"] for role in ours)
    async with (
        running_api(managed, seal_directory) as api,
        api.person() as ada,
        api.person() as grace,
    ):
        await ada.connects(email="ada@example.org")
        await grace.connects(email="grace@example.org")
        (hers,) = await ada.items("/accounts")
        assert hers["email"] == "ada@example.org"
        assert [one["email"] for one in await grace.items("/accounts")] == ["grace@example.org"]
        assert (await grace.http.get(f"/accounts/{hers['id']}")).status_code == 404

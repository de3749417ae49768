"""Each service owns its tables, and nobody else comes near them."""

import asyncpg
import pytest

from shared.contracts.catalogue import SERVICES
from tests.platform import Platform


async def tables_of(platform: Platform, service: str) -> list[asyncpg.Record]:
    admin = await asyncpg.connect(platform.admin_database_url)
    try:
        return await admin.fetch(
            """
            SELECT c.relname AS name, c.relrowsecurity AS secured, c.relforcerowsecurity AS forced,
                   pg_get_userbyid(c.relowner) AS owner,
                   EXISTS (SELECT 1 FROM pg_attribute a
                            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') AS has_tenant
              FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')
            """,
            service,
        )
    finally:
        await admin.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_every_table_of_tenants_is_behind_row_level_security(
    platform: Platform, service: str
) -> None:
    tables = await tables_of(platform, service)
    assert tables
    for table in tables:
        assert table["owner"] == f"{service}_owner", table["name"]
        if table["has_tenant"]:
            assert table["secured"], table["name"]
            assert table["forced"], table["name"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("suffix", ["", "_request"])
async def test_another_services_tables_are_permission_denied(
    platform: Platform, service: str, suffix: str
) -> None:
    role = await asyncpg.connect(platform.database_url(f"{service}{suffix}"))
    try:
        for other in SERVICES:
            if other == service:
                continue
            for table in await tables_of(platform, other):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await role.fetch(f'SELECT 1 FROM {other}."{table["name"]}" LIMIT 1')
    finally:
        await role.close()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("suffix", ["", "_request"])
async def test_no_role_of_a_service_may_change_its_tables_or_pass_by_their_rules(
    platform: Platform, service: str, suffix: str
) -> None:
    role = await asyncpg.connect(platform.database_url(f"{service}{suffix}"))
    try:
        row = await role.fetchrow(
            """
            SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles
             WHERE rolname = current_user
            """
        )
        assert row is not None
        assert not any(row)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute("CREATE TABLE intruder (x int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(f"SET ROLE {service}_owner")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute("DELETE FROM migration")
    finally:
        await role.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_request_without_a_tenant_sees_no_row_and_raises_nothing(
    platform: Platform, service: str
) -> None:
    role = await asyncpg.connect(platform.database_url(f"{service}_request"))
    try:
        for table in await tables_of(platform, service):
            if not table["has_tenant"]:
                continue
            try:
                rows = await role.fetch(f'SELECT 1 FROM "{table["name"]}" LIMIT 1')
            except asyncpg.InsufficientPrivilegeError:
                continue
            assert rows == [], table["name"]
    finally:
        await role.close()

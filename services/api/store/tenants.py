"""Tenants as their members see them."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from services.api.store import audit_log
from services.api.store.audit_log import AuditEntry
from shared.db import Connection


class Tenant(Struct, frozen=True, kw_only=True):
    """People who share a Postbus with each other, and with nobody else."""

    tenant_id: UUID
    name: str
    created_at: datetime


class Listed(Struct, frozen=True, kw_only=True):
    """A tenant as who operates the server sees it."""

    tenant_id: UUID
    name: str
    suspended: bool
    storage_bytes: int
    members: int
    accounts: int


async def all_of(connection: Connection) -> list[Listed]:
    """Every tenant that is there."""
    rows = await connection.fetch(
        """
        SELECT tenant_id, name, suspended_at IS NOT NULL AS suspended, storage_bytes,
               (SELECT count(*) FROM membership
                 WHERE membership.tenant_id = tenant.tenant_id) AS members,
               (SELECT count(*) FROM account
                 WHERE account.tenant_id = tenant.tenant_id
                   AND account.deleted_at IS NULL) AS accounts
          FROM tenant
         WHERE deleted_at IS NULL
         ORDER BY tenant_id
        """
    )
    return [convert(dict(row), Listed) for row in rows]


async def by_id(connection: Connection, tenant_id: UUID) -> Tenant | None:
    row = await connection.fetchrow(
        "SELECT tenant_id, name, created_at FROM tenant WHERE tenant_id = $1", tenant_id
    )
    return row and convert(dict(row), Tenant)


async def return_urls(connection: Connection, tenant_id: UUID) -> list[str]:
    """Where connect links may lead people at their end."""
    found = await connection.fetchval(
        "SELECT connect_return_urls FROM tenant WHERE tenant_id = $1", tenant_id
    )
    return found or []


async def put_return_urls(
    connection: Connection, tenant_id: UUID, urls: list[str], said: AuditEntry
) -> None:
    await connection.execute(
        "UPDATE tenant SET connect_return_urls = $2 WHERE tenant_id = $1", tenant_id, urls
    )
    await audit_log.note(connection, said)


async def rename(
    connection: Connection, tenant_id: UUID, name: str, said: AuditEntry
) -> Tenant | None:
    await connection.execute("UPDATE tenant SET name = $2 WHERE tenant_id = $1", tenant_id, name)
    await audit_log.note(connection, said)
    return await by_id(connection, tenant_id)

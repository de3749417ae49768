"""Tenants and people who go, and what is left of them meanwhile."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from shared.db import Connection


class Deletion(Struct, frozen=True, kw_only=True):
    """Somebody, or a whole tenant, is to be forgotten."""

    deletion_id: UUID
    tenant_id: UUID
    person_id: UUID | None
    asked_at: datetime
    account_ids: list[UUID]


async def add(connection: Connection, deletion: Deletion) -> None:
    await connection.execute(
        """
        INSERT INTO deletion (deletion_id, tenant_id, person_id, asked_at, account_ids)
        VALUES ($1, $2, $3, $4, $5)
        """,
        deletion.deletion_id,
        deletion.tenant_id,
        deletion.person_id,
        deletion.asked_at,
        deletion.account_ids,
    )


async def by_id(connection: Connection, deletion_id: UUID) -> Deletion | None:
    row = await connection.fetchrow(
        """
        SELECT deletion_id, tenant_id, person_id, asked_at, account_ids
          FROM deletion WHERE deletion_id = $1
        """,
        deletion_id,
    )
    return row and convert(dict(row), Deletion)


async def bury_tenant(connection: Connection, tenant_id: UUID, now: datetime) -> bool:
    """Nobody signs in there from now on; False when it was buried before."""
    return bool(
        await connection.fetchval(
            """
            UPDATE tenant SET deleted_at = $2 WHERE tenant_id = $1 AND deleted_at IS NULL
            RETURNING true
            """,
            tenant_id,
            now,
        )
    )


async def accounts_of_tenant(connection: Connection, tenant_id: UUID) -> list[UUID]:
    rows = await connection.fetch(
        """
        SELECT account_id FROM account
         WHERE tenant_id = $1 AND deleted_at IS NULL
         ORDER BY account_id
           FOR UPDATE
        """,
        tenant_id,
    )
    return [row["account_id"] for row in rows]


async def tenant_to_forget(connection: Connection) -> UUID | None:
    """A buried tenant all of whose accounts are forgotten, and which nobody else works on."""
    return await connection.fetchval(
        """
        SELECT tenant_id FROM tenant
         WHERE deleted_at IS NOT NULL AND forgotten_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM account
                            WHERE account.tenant_id = tenant.tenant_id
                              AND forgotten_at IS NULL)
         ORDER BY deleted_at
         LIMIT 1
           FOR UPDATE SKIP LOCKED
        """
    )


async def forget_audit_of(connection: Connection, tenant_id: UUID, limit: int) -> int:
    return await connection.fetchval("SELECT forget_audit($1, 'infinity', $2)", tenant_id, limit)


async def forget_tenant(connection: Connection, tenant_id: UUID) -> None:
    """Leave of it only that its id was used."""
    await connection.execute(
        """
        UPDATE tenant SET forgotten_at = now(), name = '', suspended_for = NULL
         WHERE tenant_id = $1
        """,
        tenant_id,
    )


async def forget_people(connection: Connection) -> None:
    """Whoever belongs to no tenant any more is nobody here."""
    await connection.execute(
        """
        DELETE FROM person
         WHERE NOT EXISTS (SELECT 1 FROM membership WHERE membership.person_id = person.person_id)
        """
    )


async def are_forgotten(
    connection: Connection, tenant_id: UUID, account_ids: Sequence[UUID]
) -> bool:
    """Whether nothing is left here of these accounts."""
    return not await connection.fetchval(
        """
        SELECT true FROM account
         WHERE tenant_id = $1 AND account_id = ANY($2) AND forgotten_at IS NULL LIMIT 1
        """,
        tenant_id,
        account_ids,
    )


class Suspension(Struct, frozen=True, kw_only=True):
    """A tenant that was suspended, or goes on, and the accounts that this is about."""

    version: int
    account_ids: list[UUID]  # all that there are
    paused: list[tuple[UUID, int]]  # those that sync is to leave, or to take up; and as of when


async def suspend(
    connection: Connection, tenant_id: UUID, why: str | None, now: datetime | None
) -> Suspension | None:
    """Suspend a tenant, or let it go on (None).

    None when the tenant is not there. Accounts that somebody paused stay so.
    """
    version = await connection.fetchval(
        """
        UPDATE tenant
           SET suspended_at = $2, suspended_for = $3, suspension_version = suspension_version + 1
         WHERE tenant_id = $1 AND deleted_at IS NULL
        RETURNING suspension_version
        """,
        tenant_id,
        now,
        why,
    )
    if version is None:
        return None
    rows = await connection.fetch(
        """
        UPDATE account SET pause_version = pause_version + 1
         WHERE tenant_id = $1 AND deleted_at IS NULL AND NOT paused
        RETURNING account_id, pause_version
        """,
        tenant_id,
    )
    return Suspension(
        version=version,
        account_ids=await accounts_of_tenant(connection, tenant_id),
        paused=[(row["account_id"], row["pause_version"]) for row in rows],
    )

"""API tokens as their person sees them. What proves one, its hash, is never read here."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from shared.db import Connection


class ApiToken(Struct, frozen=True, kw_only=True):
    """What a program was given to speak for somebody."""

    token_id: UUID
    name: str
    prefix: str
    scopes: list[str]
    account_ids: list[UUID] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = None
    used_from: str | None = None


async def add(
    connection: Connection,
    tenant_id: UUID,
    person_id: UUID,
    token: ApiToken,
    token_hash: bytes,
) -> None:
    await connection.execute(
        """
        INSERT INTO api_token (tenant_id, token_id, person_id, name, prefix, token_hash, scopes,
               account_ids, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        tenant_id,
        token.token_id,
        person_id,
        token.name,
        token.prefix,
        token_hash,
        token.scopes,
        token.account_ids,
        token.created_at,
        token.expires_at,
    )


async def all_of(connection: Connection, tenant_id: UUID, person_id: UUID) -> Sequence[ApiToken]:
    """Those of a person, the newest first."""
    rows = await connection.fetch(
        """
        SELECT token_id, name, prefix, scopes, account_ids, created_at, expires_at, used_at,
               used_from
          FROM api_token
         WHERE tenant_id = $1 AND person_id = $2
         ORDER BY token_id DESC
        """,
        tenant_id,
        person_id,
    )
    return [convert(dict(row), ApiToken) for row in rows]


async def remove(
    connection: Connection, tenant_id: UUID, person_id: UUID, token_id: UUID
) -> str | None:
    """It proves nothing from now on; its name, or None when it is not there."""
    return await connection.fetchval(
        """
        DELETE FROM api_token WHERE tenant_id = $1 AND person_id = $2 AND token_id = $3
        RETURNING name
        """,
        tenant_id,
        person_id,
        token_id,
    )

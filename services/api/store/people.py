"""Tenants, people and their sessions. Read and written before it is known who asks."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from shared.db import Connection


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who may sign in, and the tenant they come to."""

    person_id: UUID
    email: str
    name: str
    password_hash: str
    tenant_id: UUID
    tenant_name: str


class KnownRefreshToken(Struct, frozen=True, kw_only=True):
    """A refresh token that was shown, and what is known of it."""

    session_id: UUID
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    person: Person


class Access(Struct, frozen=True, kw_only=True):
    """What a session may see: the accounts of its tenant, and those it once had."""

    account_ids: list[UUID]
    past_account_ids: list[UUID]


_PERSON = """
    SELECT person_id, email, person.name, password_hash, tenant_id, tenant.name AS tenant_name
      FROM person
      JOIN membership USING (person_id)
      JOIN tenant USING (tenant_id)
"""


async def add_tenant(connection: Connection, tenant_id: UUID, name: str) -> None:
    """A tenant, with an event log that is still empty."""
    await connection.execute(
        "INSERT INTO tenant (tenant_id, name) VALUES ($1, $2)", tenant_id, name
    )
    await connection.execute("INSERT INTO log_position (tenant_id) VALUES ($1)", tenant_id)


async def add_person(
    connection: Connection,
    *,
    tenant_id: UUID,
    person_id: UUID,
    email: str,
    name: str,
    password_hash: str,
    role: str,
) -> None:
    """A member of a tenant; raises UniqueViolationError when the address is taken."""
    await connection.execute(
        """
        INSERT INTO person (person_id, email, email_key, name, password_hash)
        VALUES ($1, $2, $3, $4, $5)
        """,
        person_id,
        email,
        email.casefold(),
        name,
        password_hash,
    )
    await connection.execute(
        "INSERT INTO membership (tenant_id, person_id, role) VALUES ($1, $2, $3)",
        tenant_id,
        person_id,
        role,
    )


async def person_with(connection: Connection, email: str) -> Person | None:
    """Who signs in with this address, at the first tenant they joined that is still there."""
    row = await connection.fetchrow(
        f"""
        {_PERSON}
         WHERE email_key = $1 AND tenant.deleted_at IS NULL
         ORDER BY joined_at LIMIT 1
        """,
        email.casefold(),
    )
    return row and convert(dict(row), Person)


async def change_password_hash(connection: Connection, person_id: UUID, hashed: str) -> None:
    await connection.execute(
        "UPDATE person SET password_hash = $2 WHERE person_id = $1", person_id, hashed
    )


async def open_session(
    connection: Connection,
    *,
    session_id: UUID,
    tenant_id: UUID,
    person_id: UUID,
    expires_at: datetime,
) -> None:
    await connection.execute(
        """
        INSERT INTO session (session_id, tenant_id, person_id, expires_at)
        VALUES ($1, $2, $3, $4)
        """,
        session_id,
        tenant_id,
        person_id,
        expires_at,
    )


async def add_refresh_token(
    connection: Connection,
    *,
    token_hash: bytes,
    session_id: UUID,
    tenant_id: UUID,
    expires_at: datetime,
) -> None:
    """The token that goes on with a session, which lives as long as its newest token."""
    await connection.execute(
        """
        INSERT INTO refresh_token (token_hash, session_id, tenant_id, expires_at)
        VALUES ($1, $2, $3, $4)
        """,
        token_hash,
        session_id,
        tenant_id,
        expires_at,
    )
    await connection.execute(
        """
        UPDATE session SET used_at = now(), expires_at = $3
         WHERE session_id = $1 AND tenant_id = $2
        """,
        session_id,
        tenant_id,
        expires_at,
    )


async def hold_refresh_token(connection: Connection, token_hash: bytes) -> KnownRefreshToken | None:
    """What is known of a token; nobody else may use it until the transaction ends."""
    row = await connection.fetchrow(
        """
        SELECT session_id, refresh_token.expires_at, refresh_token.used_at, session.revoked_at,
               person_id, email, person.name, password_hash, tenant_id, tenant.name AS tenant_name
          FROM refresh_token
          JOIN session USING (session_id, tenant_id)
          JOIN person USING (person_id)
          JOIN tenant USING (tenant_id)
         WHERE token_hash = $1 AND tenant.deleted_at IS NULL
           FOR UPDATE OF refresh_token, session
        """,
        token_hash,
    )
    if row is None:
        return None
    columns = dict(row)
    return convert({**columns, "person": columns}, KnownRefreshToken)


async def use_refresh_token(connection: Connection, token_hash: bytes, now: datetime) -> None:
    await connection.execute(
        "UPDATE refresh_token SET used_at = $2 WHERE token_hash = $1", token_hash, now
    )


async def revoke_session(
    connection: Connection, tenant_id: UUID, session_id: UUID, now: datetime
) -> None:
    """Nothing that was issued in this session is good any more."""
    await connection.execute(
        """
        UPDATE session SET revoked_at = coalesce(revoked_at, $3)
         WHERE tenant_id = $1 AND session_id = $2
        """,
        tenant_id,
        session_id,
        now,
    )


async def access_of(
    connection: Connection, *, tenant_id: UUID, person_id: UUID, session_id: UUID, now: datetime
) -> Access | None:
    """The accounts a session may see now; None when the session is over."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(array_agg(account_id) FILTER (
                   WHERE account_id IS NOT NULL AND account.deleted_at IS NULL), '{}')
                   AS account_ids,
               coalesce(array_agg(account_id) FILTER (
                   WHERE account_id IS NOT NULL AND account.deleted_at IS NOT NULL), '{}')
                   AS past_account_ids
          FROM session
          JOIN tenant USING (tenant_id)
          LEFT JOIN account USING (tenant_id)
         WHERE session_id = $3 AND session.tenant_id = $1 AND person_id = $2
           AND revoked_at IS NULL AND expires_at > $4 AND tenant.deleted_at IS NULL
         GROUP BY session_id
        """,
        tenant_id,
        person_id,
        session_id,
        now,
    )
    return row and convert(dict(row), Access)


async def forget_sessions(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete sessions that ended long ago, with their tokens; returns how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM session
             WHERE session_id IN (
                   SELECT session_id FROM session WHERE expires_at < $1
                    LIMIT $2 FOR UPDATE SKIP LOCKED)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        before,
        limit,
    )

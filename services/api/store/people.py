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
    email_verified_at: datetime | None = None


class Belonging(Struct, frozen=True, kw_only=True):
    """A tenant that somebody belongs to, and as what."""

    tenant_id: UUID
    name: str
    role: str


class Client(Struct, frozen=True, kw_only=True):
    """What somebody signs in with, as it says itself and as the network says."""

    name: str = ""
    address: str = ""


class KnownRefreshToken(Struct, frozen=True, kw_only=True):
    """A refresh token that was shown, and what is known of it."""

    session_id: UUID
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    person: Person


class Access(Struct, frozen=True, kw_only=True):
    """What a session or an API token may see: accounts of its tenant, and those it once had."""

    tenant_id: UUID
    person_id: UUID
    session_id: UUID | None
    token_id: UUID | None
    role: str
    is_verified: bool  # their address was shown to be theirs
    scopes: list[str] | None  # None: all that the role has
    is_bound: bool
    used_at: datetime | None
    used_from: str | None
    suspended: bool
    suspended_for: str | None
    requests_per_minute: int | None  # of the whole tenant
    account_ids: list[UUID]
    own_account_ids: list[UUID]
    past_account_ids: list[UUID]


_PERSON = """
    SELECT person_id, email, person.name, password_hash, tenant_id, tenant.name AS tenant_name,
           email_verified_at
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


async def person_with(
    connection: Connection,
    email: str,
    tenant_id: UUID | None = None,
    rather: UUID | None = None,
) -> Person | None:
    """Who signs in with this address, at that tenant; else rather at this, or where first."""
    row = await connection.fetchrow(
        f"""
        {_PERSON}
         WHERE email_key = $1 AND tenant.deleted_at IS NULL
           AND ($2::uuid IS NULL OR tenant_id = $2)
         ORDER BY tenant_id IS NOT DISTINCT FROM $3 DESC, joined_at LIMIT 1
        """,
        email.casefold(),
        tenant_id,
        rather,
    )
    return row and convert(dict(row), Person)


async def is_verified(connection: Connection, person_id: UUID) -> bool:
    """Whether they have shown that their address is theirs."""
    return bool(
        await connection.fetchval(
            "SELECT email_verified_at IS NOT NULL FROM person WHERE person_id = $1", person_id
        )
    )


class Known(Struct, frozen=True, kw_only=True):
    """Somebody we know, wherever they belong."""

    person_id: UUID
    password_hash: str


async def known(connection: Connection, email: str) -> Known | None:
    """Who has this address."""
    row = await connection.fetchrow(
        "SELECT person_id, password_hash FROM person WHERE email_key = $1", email.casefold()
    )
    return row and convert(dict(row), Known)


async def member(connection: Connection, tenant_id: UUID, person_id: UUID) -> Person | None:
    """This person, if they belong to the tenant."""
    row = await connection.fetchrow(
        f"{_PERSON} WHERE tenant_id = $1 AND person_id = $2", tenant_id, person_id
    )
    return row and convert(dict(row), Person)


async def tenants_of(connection: Connection, person_id: UUID) -> list[Belonging]:
    """Every tenant that somebody belongs to, in the order in which they joined."""
    rows = await connection.fetch(
        """
        SELECT tenant_id, tenant.name, role
          FROM membership
          JOIN tenant USING (tenant_id)
         WHERE person_id = $1 AND tenant.deleted_at IS NULL
         ORDER BY joined_at
        """,
        person_id,
    )
    return [convert(dict(row), Belonging) for row in rows]


async def change_password_hash(connection: Connection, person_id: UUID, hashed: str) -> None:
    await connection.execute(
        "UPDATE person SET password_hash = $2 WHERE person_id = $1", person_id, hashed
    )


async def rename(connection: Connection, person_id: UUID, name: str) -> None:
    await connection.execute("UPDATE person SET name = $2 WHERE person_id = $1", person_id, name)


async def remove_tokens(connection: Connection, person_id: UUID) -> int:
    """No API token of this person proves anything from now on, in no tenant; how many did."""
    return await connection.fetchval(
        """
        WITH gone AS (DELETE FROM api_token WHERE person_id = $1 RETURNING 1)
        SELECT count(*) FROM gone
        """,
        person_id,
    )


async def open_session(
    connection: Connection,
    *,
    session_id: UUID,
    tenant_id: UUID,
    person_id: UUID,
    expires_at: datetime,
    client: Client,
    cookie_hash: bytes | None = None,
) -> None:
    await connection.execute(
        """
        INSERT INTO session (session_id, tenant_id, person_id, expires_at, client, address,
               cookie_hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        session_id,
        tenant_id,
        person_id,
        expires_at,
        client.name,
        client.address,
        cookie_hash,
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


async def revoke_sessions(
    connection: Connection, person_id: UUID, now: datetime, *, but: UUID | None = None
) -> int:
    """End every session of a person, at every tenant, but perhaps this one; how many ended."""
    return await connection.fetchval(
        """
        WITH ended AS (
            UPDATE session SET revoked_at = $2
             WHERE person_id = $1 AND revoked_at IS NULL AND session_id IS DISTINCT FROM $3
            RETURNING 1)
        SELECT count(*) FROM ended
        """,
        person_id,
        now,
        but,
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


# What a proof lets see. The accounts: one's own, those shared, and for the tenant's owners those
# whose owner has left; of a token, those it is bound to.
_ACCESS = """
    SELECT asked.*, membership.role, asked.bound IS NOT NULL AS is_bound,
           (SELECT email_verified_at IS NOT NULL FROM person
             WHERE person.person_id = asked.person_id) AS is_verified,
           tenant.suspended_at IS NOT NULL AS suspended, tenant.suspended_for,
           tenant.quota_requests_per_minute AS requests_per_minute,
           coalesce(array_agg(account_id) FILTER (
               WHERE account_id IS NOT NULL AND account.deleted_at IS NULL), '{{}}')
               AS account_ids,
           coalesce(array_agg(account_id) FILTER (
               WHERE account.deleted_at IS NULL AND account.owner_id = asked.person_id), '{{}}')
               AS own_account_ids,
           coalesce(array_agg(account_id) FILTER (
               WHERE account_id IS NOT NULL AND account.deleted_at IS NOT NULL), '{{}}')
               AS past_account_ids
      FROM ({asked}) AS asked
      JOIN tenant USING (tenant_id)
      JOIN membership USING (tenant_id, person_id)
      LEFT JOIN account
        ON account.tenant_id = asked.tenant_id
       AND (account.owner_id = asked.person_id
            OR account.shared_with_all
            OR (account.owner_id IS NULL AND membership.role = 'owner')
            OR EXISTS (SELECT 1 FROM account_share AS share
                        WHERE share.tenant_id = account.tenant_id
                          AND share.account_id = account.account_id
                          AND share.person_id = asked.person_id))
       AND (asked.bound IS NULL OR account.account_id = ANY(asked.bound))
     WHERE tenant.deleted_at IS NULL
     GROUP BY asked.tenant_id, asked.person_id, asked.session_id, asked.token_id, asked.scopes,
              asked.bound, asked.used_at, asked.used_from, membership.role,
              tenant.suspended_at, tenant.suspended_for, tenant.quota_requests_per_minute
"""
_SESSION = """
    SELECT tenant_id, person_id, session_id, NULL::uuid AS token_id, NULL::text[] AS scopes,
           NULL::uuid[] AS bound, used_at, NULL::text AS used_from
      FROM session
     WHERE {which} AND revoked_at IS NULL
"""
_BY_SESSION = _ACCESS.format(
    asked=_SESSION.format(
        which="session_id = $1 AND tenant_id = $2 AND person_id = $3 AND expires_at > $4"
    )
)
_BY_COOKIE = _ACCESS.format(asked=_SESSION.format(which="cookie_hash = $1 AND expires_at > $2"))
_BY_TOKEN = _ACCESS.format(
    asked="""
    SELECT tenant_id, person_id, NULL::uuid AS session_id, token_id, scopes,
           account_ids AS bound, used_at, used_from
      FROM api_token
     WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)
    """
)
_BY_MEMBERSHIP = _ACCESS.format(
    asked="""
    SELECT tenant_id, person_id, NULL::uuid AS session_id, NULL::uuid AS token_id,
           NULL::text[] AS scopes, NULL::uuid[] AS bound, NULL::timestamptz AS used_at,
           NULL::text AS used_from
      FROM membership
     WHERE tenant_id = $1 AND person_id = $2
    """
)


async def access_of_session(
    connection: Connection, *, tenant_id: UUID, person_id: UUID, session_id: UUID, now: datetime
) -> Access | None:
    """What a session of tokens may see now; None when it is over."""
    row = await connection.fetchrow(_BY_SESSION, session_id, tenant_id, person_id, now)
    return row and convert(dict(row), Access)


async def access_of_cookie(
    connection: Connection, cookie_hash: bytes, now: datetime
) -> Access | None:
    """What a session in a cookie may see now; None when it is over."""
    row = await connection.fetchrow(_BY_COOKIE, cookie_hash, now)
    return row and convert(dict(row), Access)


async def access_of_token(
    connection: Connection, token_hash: bytes, now: datetime
) -> Access | None:
    """What an API token may see now; None when it is gone or has expired."""
    row = await connection.fetchrow(_BY_TOKEN, token_hash, now)
    return row and convert(dict(row), Access)


async def note_use(
    connection: Connection,
    access: Access,
    *,
    now: datetime,
    address: str,
    expires_at: datetime | None,
) -> None:
    """A token, or a session in a cookie, was used; the session lives on from now."""
    if access.token_id is not None:
        await connection.execute(
            """
            UPDATE api_token SET used_at = $3, used_from = $4
             WHERE tenant_id = $1 AND token_id = $2
            """,
            access.tenant_id,
            access.token_id,
            now,
            address,
        )
    else:
        await connection.execute(
            """
            UPDATE session SET used_at = $3, expires_at = coalesce($4, expires_at)
             WHERE tenant_id = $1 AND session_id = $2 AND revoked_at IS NULL
            """,
            access.tenant_id,
            access.session_id,
            now,
            expires_at,
        )


async def access_of_member(
    connection: Connection, *, tenant_id: UUID, person_id: UUID
) -> Access | None:
    """What a member may see now, signed in or not; None when they are no member."""
    row = await connection.fetchrow(_BY_MEMBERSHIP, tenant_id, person_id)
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

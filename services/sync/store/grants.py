"""Consents: what they are sealed as, the token of now, and who refreshes it.

Moments are the database's own, so that replicas whose clocks differ agree; how long a token lives
the provider says in seconds.
"""

from uuid import UUID

from msgspec import Struct, convert

from shared.db import Connection


class KeptGrant(Struct, frozen=True, kw_only=True):
    """A consent as it stands now."""

    grant_id: UUID
    tenant_id: UUID
    account_id: UUID
    provider: str
    sealed: bytes
    refreshes: int
    access_sealed: bytes | None
    seconds_left: float  # of the access token
    due: bool  # its refresh
    claimed: bool  # somebody refreshes it
    rests_seconds: float  # the provider is left alone so long
    failures: int
    ended: bool
    said: str | None


class KeptClient(Struct, frozen=True, kw_only=True):
    """A tenant's own client at a provider."""

    client_id: str
    token_endpoint: str
    client_authentication: str
    sealed_secret: bytes | None
    revocation_endpoint: str | None


_GRANT = """
    SELECT grant_id, tenant_id, account_id, provider, sealed, refreshes, access_sealed, failures,
           said, ended_at IS NOT NULL AS ended,
           coalesce(extract(epoch FROM expires_at - now()), 0)::float8 AS seconds_left,
           coalesce(refresh_at <= now(), true) AS due,
           coalesce(claimed_until > now(), false) AS claimed,
           greatest(coalesce(extract(epoch FROM retry_at - now()), 0), 0)::float8 AS rests_seconds
      FROM oauth_grant
"""


async def add(
    connection: Connection,
    grant_id: UUID,
    tenant_id: UUID,
    account_id: UUID,
    provider: str,
    sealed: bytes,
    seal_key_id: str,
    access_sealed: bytes,
    *,
    refresh_in: float,
    expires_in: float,
) -> None:
    """A new consent, which no account uses yet."""
    await connection.execute(
        """
        INSERT INTO oauth_grant (grant_id, tenant_id, account_id, provider, sealed, seal_key_id,
               access_sealed, refresh_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8),
                now() + make_interval(secs => $9))
        """,
        grant_id,
        tenant_id,
        account_id,
        provider,
        sealed,
        seal_key_id,
        access_sealed,
        refresh_in,
        expires_in,
    )


async def by_id(connection: Connection, tenant_id: UUID, grant_id: UUID) -> KeptGrant | None:
    row = await connection.fetchrow(
        f"{_GRANT} WHERE tenant_id = $1 AND grant_id = $2", tenant_id, grant_id
    )
    return row and convert(dict(row), KeptGrant)


async def of_account(connection: Connection, tenant_id: UUID, account_id: UUID) -> UUID | None:
    """The consent that an account uses, if it uses one."""
    return await connection.fetchval(
        """
        SELECT grant_id FROM account
         WHERE tenant_id = $1 AND account_id = $2 AND removed_at IS NULL
        """,
        tenant_id,
        account_id,
    )


async def adopt(connection: Connection, account_id: UUID, grant_id: UUID | None) -> None:
    """An account uses this consent from now on; those it used before are forgotten."""
    await connection.execute(
        """
        DELETE FROM oauth_grant
         WHERE account_id = $1
           AND CASE WHEN $2::uuid IS NULL THEN adopted_at IS NOT NULL ELSE grant_id < $2 END
        """,
        account_id,
        grant_id,
    )
    await connection.execute(
        "UPDATE oauth_grant SET adopted_at = now() WHERE account_id = $1 AND grant_id = $2",
        account_id,
        grant_id,
    )


async def claim(connection: Connection, grant: KeptGrant, seconds: float) -> bool:
    """Be the one who refreshes it; False where somebody does, or has."""
    return bool(
        await connection.fetchval(
            """
            UPDATE oauth_grant SET claimed_until = now() + make_interval(secs => $3)
             WHERE grant_id = $1 AND refreshes = $2 AND ended_at IS NULL
               AND coalesce(claimed_until <= now(), true)
            RETURNING true
            """,
            grant.grant_id,
            grant.refreshes,
            seconds,
        )
    )


async def put_refreshed(
    connection: Connection,
    grant: KeptGrant,
    sealed: bytes,
    seal_key_id: str,
    access_sealed: bytes,
    *,
    refresh_in: float,
    expires_in: float,
) -> None:
    """What a refresh gave, before anybody uses it. Who was overtaken writes nothing."""
    await connection.execute(
        """
        UPDATE oauth_grant
           SET sealed = $3, seal_key_id = $4, access_sealed = $5, refreshes = refreshes + 1,
               refresh_at = now() + make_interval(secs => $6),
               expires_at = now() + make_interval(secs => $7),
               claimed_until = NULL, failures = 0, retry_at = NULL, said = NULL
         WHERE grant_id = $1 AND refreshes = $2
        """,
        grant.grant_id,
        grant.refreshes,
        sealed,
        seal_key_id,
        access_sealed,
        refresh_in,
        expires_in,
    )


async def put_failed(
    connection: Connection, grant: KeptGrant, said: str, retry_seconds: float
) -> None:
    """The provider gave nothing; it is asked again after a while."""
    await connection.execute(
        """
        UPDATE oauth_grant
           SET failures = failures + 1, claimed_until = NULL, said = $3,
               retry_at = now() + make_interval(secs => $4)
         WHERE grant_id = $1 AND refreshes = $2
        """,
        grant.grant_id,
        grant.refreshes,
        said,
        retry_seconds,
    )


async def end(connection: Connection, grant: KeptGrant, said: str) -> None:
    """The provider takes it no more; what it opened is forgotten at once."""
    await connection.execute(
        """
        UPDATE oauth_grant
           SET ended_at = now(), said = $3, claimed_until = NULL, access_sealed = NULL
         WHERE grant_id = $1 AND refreshes = $2
        """,
        grant.grant_id,
        grant.refreshes,
        said,
    )


async def give_back(connection: Connection, account_id: UUID, *, within_days: int) -> None:
    """The account is removed: its consents are to be ended at their provider, and forgotten.

    One that the provider has ended itself needs nothing.
    """
    await connection.execute(
        """
        UPDATE oauth_grant
           SET revoke_at = now(), revoke_until = now() + make_interval(days => $2),
               access_sealed = NULL, failures = 0
         WHERE account_id = $1 AND ended_at IS NULL AND adopted_at IS NOT NULL
        """,
        account_id,
        within_days,
    )


async def claim_to_revoke(
    connection: Connection, most: int, seconds: float
) -> list[tuple[KeptGrant, bool]]:
    """Consents to be ended now, for so long nobody else's affair; and whether it is the last try.

    Each try that comes to nothing doubles the pause before the next, up to an hour.
    """
    rows = await connection.fetch(
        """
        UPDATE oauth_grant
           SET revoke_at = now() + make_interval(
                   secs => $2 + least(3600, 5 * power(2, least(failures, 12)))),
               failures = failures + 1
         WHERE grant_id = ANY (ARRAY(
               SELECT grant_id FROM oauth_grant WHERE revoke_at <= now()
                ORDER BY revoke_at LIMIT $1 FOR UPDATE SKIP LOCKED))
        RETURNING grant_id, tenant_id, account_id, provider, sealed, refreshes, access_sealed,
                  failures, said, false AS ended, 0::float8 AS seconds_left, false AS due,
                  false AS claimed, 0::float8 AS rests_seconds, revoke_until <= now() AS is_last
        """,
        most,
        seconds,
    )
    found = [dict(row) for row in rows]
    return [(convert(row, KeptGrant), is_last) for row in found for is_last in [row.pop("is_last")]]


async def is_shared(
    connection: Connection, grant: KeptGrant, username: str, client_id: str
) -> bool:
    """Whether another account signs in to the same mailbox by a consent of the same provider.

    Where one consent ends, some providers end all that the client has of this person.
    """
    return await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM account JOIN oauth_grant USING (grant_id)
             WHERE account.account_id <> $1 AND account.removed_at IS NULL
               AND oauth_grant.provider = $2 AND lower(account.username) = lower($3)
               AND coalesce((SELECT client_id FROM oauth_client
                              WHERE oauth_client.tenant_id = account.tenant_id
                                AND oauth_client.name = $2 AND removed_at IS NULL), $4) = $4)
        """,
        grant.account_id,
        grant.provider,
        username,
        client_id,
    )


async def forget(connection: Connection, grant: KeptGrant) -> None:
    await connection.execute("DELETE FROM oauth_grant WHERE grant_id = $1", grant.grant_id)


async def seal_keys_in_use(connection: Connection) -> list[str]:
    """The ids of the keys that consents, and tenants' clients, are sealed with."""
    rows = await connection.fetch(
        """
        SELECT seal_key_id FROM oauth_grant
         UNION SELECT seal_key_id FROM oauth_client WHERE seal_key_id IS NOT NULL
        """
    )
    return [row["seal_key_id"] for row in rows]


async def forget_unadopted(connection: Connection, days: int) -> None:
    """Consents that no account was made of."""
    await connection.execute(
        """
        DELETE FROM oauth_grant
         WHERE adopted_at IS NULL AND made_at < now() - make_interval(days => $1)
        """,
        days,
    )


# --- Tenants' own clients -------------------------------------------------------------------------


async def put_client(
    connection: Connection,
    *,
    tenant_id: UUID,
    name: str,
    version: int,
    client_id: str,
    token_endpoint: str,
    client_authentication: str,
    sealed_secret: bytes | None,
    seal_key_id: str | None,
    revocation_endpoint: str | None,
    removed: bool,
) -> None:
    """A tenant's client as it is from now on, unless newer settings came before.

    Without a secret it keeps the one it has, as long as it is for the same client and endpoint.
    """
    await connection.execute(
        """
        INSERT INTO oauth_client AS known (tenant_id, name, version, client_id, token_endpoint,
               client_authentication, sealed_secret, seal_key_id, removed_at,
               revocation_endpoint)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN now() END, $10)
        ON CONFLICT (tenant_id, name) DO UPDATE
           SET version = excluded.version, client_id = excluded.client_id,
               token_endpoint = excluded.token_endpoint,
               client_authentication = excluded.client_authentication,
               removed_at = excluded.removed_at,
               revocation_endpoint = excluded.revocation_endpoint,
               sealed_secret = CASE
                   WHEN excluded.sealed_secret IS NOT NULL THEN excluded.sealed_secret
                   WHEN excluded.client_id = known.client_id
                    AND excluded.token_endpoint = known.token_endpoint THEN known.sealed_secret
                   END,
               seal_key_id = CASE
                   WHEN excluded.sealed_secret IS NOT NULL THEN excluded.seal_key_id
                   WHEN excluded.client_id = known.client_id
                    AND excluded.token_endpoint = known.token_endpoint THEN known.seal_key_id
                   END
         WHERE known.version < excluded.version
        """,
        tenant_id,
        name,
        version,
        client_id,
        token_endpoint,
        client_authentication,
        sealed_secret,
        seal_key_id,
        removed,
        revocation_endpoint,
    )


async def client(connection: Connection, tenant_id: UUID, name: str) -> KeptClient | None:
    row = await connection.fetchrow(
        """
        SELECT client_id, token_endpoint, client_authentication, sealed_secret,
               revocation_endpoint
          FROM oauth_client
         WHERE tenant_id = $1 AND name = $2 AND removed_at IS NULL
        """,
        tenant_id,
        name,
    )
    return row and convert(dict(row), KeptClient)

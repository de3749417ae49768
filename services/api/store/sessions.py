"""Sessions as their person sees them: where one is signed in, and an end to it."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from shared.db import Connection


class Session(Struct, frozen=True, kw_only=True):
    """Somebody signed in somewhere."""

    session_id: UUID
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    client: str
    address: str


async def all_of(
    connection: Connection, tenant_id: UUID, person_id: UUID, now: datetime
) -> list[Session]:
    """Those of a person that are open, the one used last first."""
    rows = await connection.fetch(
        """
        SELECT session_id, created_at, used_at, expires_at, client, address
          FROM session
         WHERE tenant_id = $1 AND person_id = $2 AND revoked_at IS NULL AND expires_at > $3
         ORDER BY used_at DESC, session_id
        """,
        tenant_id,
        person_id,
        now,
    )
    return [convert(dict(row), Session) for row in rows]


async def revoke(
    connection: Connection, tenant_id: UUID, person_id: UUID, session_id: UUID, now: datetime
) -> bool:
    """End one; False when it is not there or has ended."""
    return bool(
        await connection.fetchval(
            """
            UPDATE session SET revoked_at = $4
             WHERE tenant_id = $1 AND person_id = $2 AND session_id = $3 AND revoked_at IS NULL
            RETURNING true
            """,
            tenant_id,
            person_id,
            session_id,
            now,
        )
    )


async def revoke_everybody(connection: Connection) -> None:
    """End every session there is."""
    await connection.execute("UPDATE session SET revoked_at = now() WHERE revoked_at IS NULL")

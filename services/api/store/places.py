"""From which networks people have signed in."""

from datetime import datetime
from uuid import UUID

from shared.db import Connection


async def note(connection: Connection, person_id: UUID, network: str, now: datetime) -> bool:
    """They signed in from there; whether they had from elsewhere only."""
    return bool(
        await connection.fetchval(
            """
            WITH known AS (
                SELECT count(*) FILTER (WHERE network = $2) AS here, count(*) AS anywhere
                  FROM person_place WHERE person_id = $1),
            noted AS (
                INSERT INTO person_place (person_id, network, seen_at) VALUES ($1, $2, $3)
                ON CONFLICT (person_id, network) DO UPDATE SET seen_at = excluded.seen_at)
            SELECT here = 0 AND anywhere > 0 FROM known
            """,
            person_id,
            network,
            now,
        )
    )


async def forget(connection: Connection, before: datetime) -> None:
    """Where nobody has signed in from for so long is new again."""
    await connection.execute("DELETE FROM person_place WHERE seen_at < $1", before)

"""How people want the webmail to be: a document each, in each tenant."""

from uuid import UUID

from msgspec import Struct

from shared.db import Connection


class KeptSettings(Struct, frozen=True, kw_only=True):
    """The document, and how often it has changed."""

    version: int
    document: str  # JSON


async def read(connection: Connection, tenant_id: UUID, person_id: UUID) -> KeptSettings:
    """What they have set; an empty document where they have set nothing."""
    row = await connection.fetchrow(
        "SELECT version, document FROM person_settings WHERE tenant_id = $1 AND person_id = $2",
        tenant_id,
        person_id,
    )
    if row is None:
        return KeptSettings(version=0, document="{}")
    return KeptSettings(version=row["version"], document=row["document"])


async def write(
    connection: Connection, tenant_id: UUID, person_id: UUID, *, over: int, document: str
) -> int | None:
    """Replace the document of that version; the new version, or None when it is no longer that."""
    if over == 0:
        return await connection.fetchval(
            """
            INSERT INTO person_settings (tenant_id, person_id, version, document)
            VALUES ($1, $2, 1, $3::json)
                ON CONFLICT DO NOTHING
            RETURNING version
            """,
            tenant_id,
            person_id,
            document,
        )
    return await connection.fetchval(
        """
        UPDATE person_settings SET version = version + 1, document = $4::json
         WHERE tenant_id = $1 AND person_id = $2 AND version = $3
        RETURNING version
        """,
        tenant_id,
        person_id,
        over,
        document,
    )

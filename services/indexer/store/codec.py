"""How words travel to PostgreSQL: as the tsvector it would send itself."""

import asyncpg


async def teach_tsvector(connection: asyncpg.Connection) -> None:
    """Let a connection take tsvectors as bytes."""
    await connection.set_type_codec(
        "tsvector", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary"
    )

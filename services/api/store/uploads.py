"""Files that were uploaded, to be attached to messages."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from shared.db import Connection

PIECE_BYTES = 256 * 1024


class Upload(Struct, frozen=True, kw_only=True):
    """A file that came to its end."""

    upload_id: UUID
    created_at: datetime
    name: str
    content_type: str
    size_bytes: int
    used: bool


_UPLOAD = """
    SELECT upload_id, created_at, name, content_type, size_bytes, unused_since IS NULL AS used
      FROM upload
"""


async def begin(
    connection: Connection, tenant_id: UUID, created_by: UUID, upload_id: UUID, name: str
) -> None:
    """A file begins to come; nobody sees it before it is complete."""
    await connection.execute(
        "INSERT INTO upload (tenant_id, upload_id, created_by, name) VALUES ($1, $2, $3, $4)",
        tenant_id,
        upload_id,
        created_by,
        name,
    )


async def put_piece(
    connection: Connection, tenant_id: UUID, upload_id: UUID, number: int, data: bytes
) -> None:
    """Keep the next piece, and count it."""
    await connection.execute(
        """
        WITH kept AS (
            INSERT INTO upload_piece (tenant_id, upload_id, number, data) VALUES ($1, $2, $3, $4))
        UPDATE upload SET size_bytes = size_bytes + octet_length($4)
         WHERE tenant_id = $1 AND upload_id = $2
        """,
        tenant_id,
        upload_id,
        number,
        data,
    )


async def complete(
    connection: Connection, tenant_id: UUID, upload_id: UUID, content_type: str
) -> Upload | None:
    """All of it came; None where it was forgotten meanwhile."""
    row = await connection.fetchrow(
        """
        UPDATE upload SET content_type = $3, completed_at = now(), unused_since = now()
         WHERE tenant_id = $1 AND upload_id = $2
        RETURNING upload_id, created_at, name, content_type, size_bytes,
                  unused_since IS NULL AS used
        """,
        tenant_id,
        upload_id,
        content_type,
    )
    return row and Upload(**row)


async def abandon(connection: Connection, tenant_id: UUID, upload_id: UUID) -> None:
    """It did not come to its end."""
    await connection.execute(
        """
        DELETE FROM upload WHERE tenant_id = $1 AND upload_id = $2 AND completed_at IS NULL
        """,
        tenant_id,
        upload_id,
    )


async def by_id(
    connection: Connection, tenant_id: UUID, created_by: UUID, upload_id: UUID
) -> Upload | None:
    """This person's upload."""
    row = await connection.fetchrow(
        f"""
        {_UPLOAD}
         WHERE tenant_id = $1 AND created_by = $2 AND upload_id = $3 AND completed_at IS NOT NULL
        """,
        tenant_id,
        created_by,
        upload_id,
    )
    return row and Upload(**row)


async def piece(
    connection: Connection, tenant_id: UUID, upload_id: UUID, number: int
) -> bytes | None:
    """A piece of it; None behind the last one. Whose it is was asked before."""
    return await connection.fetchval(
        """
        SELECT data FROM upload_piece WHERE tenant_id = $1 AND upload_id = $2 AND number = $3
        """,
        tenant_id,
        upload_id,
        number,
    )


async def pieces(connection: Connection, tenant_id: UUID, upload_id: UUID) -> AsyncGenerator[bytes]:
    """All of it, piece by piece, for who writes a message in one transaction."""
    number = 0
    while (data := await piece(connection, tenant_id, upload_id, number)) is not None:
        yield data
        number += 1


async def unused_bytes(connection: Connection, tenant_id: UUID, created_by: UUID) -> int:
    """How much this person has uploaded that nothing uses."""
    return await connection.fetchval(
        """
        SELECT coalesce(sum(size_bytes), 0)::bigint FROM upload
         WHERE tenant_id = $1 AND created_by = $2 AND unused_since IS NOT NULL
        """,
        tenant_id,
        created_by,
    )


async def use(
    connection: Connection,
    tenant_id: UUID,
    created_by: UUID,
    upload_ids: Sequence[UUID],
    used_by: UUID,
) -> dict[UUID, Upload]:
    """Keep these for a draft or a submission; those of them that this person has."""
    rows = await connection.fetch(
        """
        WITH held AS (
            UPDATE upload SET unused_since = NULL
             WHERE tenant_id = $1 AND created_by = $2 AND upload_id = ANY ($3)
               AND completed_at IS NOT NULL
            RETURNING upload_id, created_at, name, content_type, size_bytes, true AS used),
        noted AS (
            INSERT INTO upload_use (tenant_id, upload_id, used_by)
            SELECT $1, upload_id, $4 FROM held
            ON CONFLICT DO NOTHING)
        SELECT upload_id, created_at, name, content_type, size_bytes, used FROM held
        """,
        tenant_id,
        created_by,
        list(upload_ids),
        used_by,
    )
    return {row["upload_id"]: Upload(**row) for row in rows}


async def release(
    connection: Connection, tenant_id: UUID, used_by: UUID, *, keeping: Sequence[UUID] = ()
) -> None:
    """A draft or a submission is gone, or needs only these yet: the others wait to be forgotten."""
    freed = await connection.fetch(
        """
        DELETE FROM upload_use
         WHERE tenant_id = $1 AND used_by = $2 AND upload_id <> ALL ($3)
        RETURNING upload_id
        """,
        tenant_id,
        used_by,
        list(keeping),
    )
    await connection.execute(
        """
        UPDATE upload SET unused_since = now()
         WHERE tenant_id = $1 AND upload_id = ANY ($2)
           AND NOT EXISTS (SELECT 1 FROM upload_use
                            WHERE upload_use.tenant_id = $1
                              AND upload_use.upload_id = upload.upload_id)
        """,
        tenant_id,
        [row["upload_id"] for row in freed],
    )


async def remove(
    connection: Connection, tenant_id: UUID, created_by: UUID, upload_id: UUID
) -> bool:
    """Forget an upload that nothing uses; False when there is no such one."""
    return bool(
        await connection.fetchval(
            """
            DELETE FROM upload
             WHERE tenant_id = $1 AND created_by = $2 AND upload_id = $3
               AND completed_at IS NOT NULL AND unused_since IS NOT NULL
            RETURNING true
            """,
            tenant_id,
            created_by,
            upload_id,
        )
    )


async def forget_unused(connection: Connection, before: datetime, limit: int) -> int:
    """Forget uploads that nothing has used since then; how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM upload USING (
                   SELECT tenant_id, upload_id FROM upload WHERE unused_since < $1
                    ORDER BY unused_since LIMIT $2 FOR UPDATE SKIP LOCKED) AS old
             WHERE upload.tenant_id = old.tenant_id AND upload.upload_id = old.upload_id
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        before,
        limit,
    )

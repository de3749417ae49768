"""The frozen bytes of messages, in pieces."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.sender.domain.submission import Submission
from shared.db import Connection

PIECE_BYTES = 256 * 1024


def pieces_of(mime: bytes) -> list[bytes]:
    """A message as its rows hold it."""
    return [mime[start : start + PIECE_BYTES] for start in range(0, len(mime), PIECE_BYTES)]


async def put_mime(connection: Connection, submission: Submission, pieces: Sequence[bytes]) -> None:
    """Freeze the bytes."""
    await connection.executemany(
        """
        INSERT INTO mime_piece (submission_id, number, tenant_id, account_id, data)
        VALUES ($1, $2, $3, $4, $5)
        """,
        [
            (submission.submission_id, number, submission.tenant_id, submission.account_id, piece)
            for number, piece in enumerate(pieces)
        ],
    )


async def mime(connection: Connection, submission: Submission) -> bytes:
    """The whole message as it was frozen."""
    rows = await connection.fetch(
        """
        SELECT data FROM mime_piece
         WHERE tenant_id = $1 AND submission_id = $2 ORDER BY number
        """,
        submission.tenant_id,
        submission.submission_id,
    )
    return b"".join(row["data"] for row in rows)


async def mime_piece(
    connection: Connection, tenant_id: UUID, submission_id: UUID, number: int
) -> tuple[bytes, int] | None:
    """A piece and how many there are; None when there is none, or none any more."""
    row = await connection.fetchrow(
        """
        SELECT data, piece_count FROM submission JOIN mime_piece USING (tenant_id, submission_id)
         WHERE tenant_id = $1 AND submission_id = $2 AND number = $3
        """,
        tenant_id,
        submission_id,
        number,
    )
    return (row["data"], row["piece_count"]) if row else None


async def purge_mime(
    connection: Connection, *, kept_for: timedelta, unfiled_kept_for: timedelta, limit: int
) -> int:
    """Drop the bytes of some messages that were settled long ago; return of how many.

    They are kept longer where they are still the only copy: not in Sent, or uncertain.
    """
    rows = await connection.fetch(
        """
        UPDATE submission SET piece_count = 0
         WHERE submission_id IN (
               SELECT submission_id FROM submission
                WHERE piece_count > 0 AND settled_at < now() - $1::interval
                  AND (filed OR state IN ('failed', 'canceled')
                       OR settled_at < now() - $2::interval)
                LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING submission_id
        """,
        kept_for,
        unfiled_kept_for,
        limit,
    )
    await connection.execute(
        "DELETE FROM mime_piece WHERE submission_id = ANY($1)",
        [row["submission_id"] for row in rows],
    )
    return len(rows)

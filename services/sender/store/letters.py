"""Messages that wait to be composed: their files are still elsewhere."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from services.sender.domain.submission import Submission
from services.sender.store.mime import put_mime
from services.sender.store.rows import read
from shared.contracts.envelope import decode, encode
from shared.contracts.submission import SendMessage
from shared.db import Connection


async def put_letter(connection: Connection, command: SendMessage) -> None:
    """Remember what is to be composed."""
    await connection.execute(
        """
        INSERT INTO letter (submission_id, tenant_id, account_id, command)
        VALUES ($1, $2, $3, $4)
        """,
        command.submission_id,
        command.tenant_id,
        command.account_id,
        encode(command),
    )


async def claim_letters(
    connection: Connection, *, limit: int, for_so_long: timedelta
) -> list[SendMessage]:
    """Some that are due; nobody else takes them for a while, and then whoever comes."""
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT submission_id FROM letter WHERE due_at <= now()
             ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
        UPDATE letter SET due_at = now() + $2::interval, attempts = attempts + 1
          FROM due WHERE letter.submission_id = due.submission_id
        RETURNING command
        """,
        limit,
        for_so_long,
    )
    return [decode(row["command"], SendMessage) for row in rows]


async def put_off_letter(
    connection: Connection, tenant_id: UUID, submission_id: UUID, longest: timedelta
) -> None:
    """Its files cannot be had now: try again, at longer and longer intervals."""
    await connection.execute(
        """
        UPDATE letter
           SET due_at = now() + least(
                   $3::interval, interval '1 second' * power(2, least(attempts, 16)))
         WHERE tenant_id = $1 AND submission_id = $2
        """,
        tenant_id,
        submission_id,
        longest,
    )


async def take_letter(
    connection: Connection, tenant_id: UUID, submission_id: UUID
) -> Submission | None:
    """The submission that waits for this letter, locked; None when it waits no more."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE tenant_id = $1 AND submission_id = $2 FOR UPDATE
        """,
        tenant_id,
        submission_id,
    )
    waits = await connection.fetchval(
        "DELETE FROM letter WHERE tenant_id = $1 AND submission_id = $2 RETURNING true",
        tenant_id,
        submission_id,
    )
    return next(iter(await read(connection, rows)), None) if waits else None


async def put_composed(
    connection: Connection, submission: Submission, pieces: Sequence[bytes]
) -> None:
    """Freeze the bytes of a submission that waited for them."""
    await connection.execute(
        """
        UPDATE submission
           SET revision = $3, message_id_header = $4, sender_email = $5, size_bytes = $6,
               piece_count = $7, needs_smtputf8 = $8
         WHERE tenant_id = $1 AND submission_id = $2
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.revision,
        submission.message_id,
        submission.sender,
        submission.size_bytes,
        len(pieces),
        submission.needs_smtputf8,
    )
    await put_mime(connection, submission, pieces)

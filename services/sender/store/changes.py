"""Submissions about which somebody wants something done."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from services.sender.domain.submission import Submission
from services.sender.store.rows import read
from services.sender.store.submissions import put_states
from shared.db import Connection

_DATE = re.compile(rb"\ADate: [^\r\n]*\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A submission that is held, and how far it is."""

    submission: Submission
    stage: str  # waiting, sending, transmitting
    has_mime: bool
    waits_for_files: bool


async def hold_to_change(
    connection: Connection, tenant_id: UUID, account_id: UUID, submission_id: UUID
) -> Held | None:
    """The submission as it now is, locked, whoever works on it."""
    row = await connection.fetchrow(
        """
        SELECT submission_id, stage, piece_count,
               EXISTS (SELECT FROM letter
                        WHERE letter.submission_id = submission.submission_id) AS waits_for_files
          FROM submission
         WHERE tenant_id = $1 AND account_id = $2 AND submission_id = $3 FOR UPDATE
        """,
        tenant_id,
        account_id,
        submission_id,
    )
    if row is None:
        return None
    [submission] = await read(connection, [row])
    return Held(
        submission=submission,
        stage=row["stage"],
        has_mime=row["piece_count"] > 0,
        waits_for_files=row["waits_for_files"],
    )


async def put_changed(connection: Connection, submission: Submission) -> None:
    """Write what a held submission is from now on; whoever was at it can write nothing more."""
    await put_states(connection, [submission])
    await connection.execute(
        """
        UPDATE submission SET fence = fence + 1, first_attempt_at = $3, expires_at = $4
         WHERE tenant_id = $1 AND submission_id = $2
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.first_attempt_at,
        submission.expires_at,
    )
    if submission.is_settled:
        await connection.execute(
            "DELETE FROM letter WHERE tenant_id = $1 AND submission_id = $2",
            submission.tenant_id,
            submission.submission_id,
        )


async def put_revision(connection: Connection, submission: Submission) -> None:
    """Something is told of it, and nothing else about it changed."""
    await connection.execute(
        "UPDATE submission SET revision = $3 WHERE tenant_id = $1 AND submission_id = $2",
        submission.tenant_id,
        submission.submission_id,
        submission.revision,
    )


async def redate(connection: Connection, submission: Submission, sent_at: datetime) -> None:
    """Let the frozen message say that it was sent then, where its Date is ours."""
    data = await connection.fetchval(
        """
        SELECT data FROM mime_piece JOIN submission USING (tenant_id, submission_id)
         WHERE tenant_id = $1 AND submission_id = $2 AND number = 0 AND date_is_ours
        """,
        submission.tenant_id,
        submission.submission_id,
    )
    if data is None:
        return
    date = f"Date: {format_datetime(sent_at)}\r\n".encode("ascii")
    await connection.execute(
        """
        UPDATE mime_piece SET data = $3
         WHERE tenant_id = $1 AND submission_id = $2 AND number = 0
        """,
        submission.tenant_id,
        submission.submission_id,
        _DATE.sub(date, data, count=1),
    )

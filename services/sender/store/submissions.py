"""Submissions on their way, and what became of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.sender.domain.submission import SETTLED_STATES, Submission
from services.sender.store.mime import put_mime
from services.sender.store.rows import read
from shared.db import Connection

_SETTLED = [state.value for state in SETTLED_STATES]


async def put_submission(
    connection: Connection,
    submission: Submission,
    pieces: Sequence[bytes],
    *,
    date_is_ours: bool = True,
) -> bool:
    """Freeze a submission; False when it is here already, which changes nothing."""
    put = await connection.fetchval(
        """
        INSERT INTO submission
               (submission_id, tenant_id, account_id, state, revision, message_id_header,
                sender_email, size_bytes, piece_count, needs_smtputf8, due_at, reason,
                server_said, settled_at, expires_at, date_is_ours)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                CASE WHEN $4 = ANY($14) THEN now() END, $15, $16)
        ON CONFLICT (submission_id) DO NOTHING RETURNING true
        """,
        submission.submission_id,
        submission.tenant_id,
        submission.account_id,
        submission.state.value,
        submission.revision,
        submission.message_id,
        submission.sender,
        submission.size_bytes,
        len(pieces),
        submission.needs_smtputf8,
        submission.due_at,
        submission.reason,
        submission.server_said,
        _SETTLED,
        submission.expires_at,
        date_is_ours,
    )
    if not put:
        return False
    await connection.executemany(
        """
        INSERT INTO recipient (submission_id, number, tenant_id, account_id, email, fate)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (
                submission.submission_id,
                one.number,
                submission.tenant_id,
                submission.account_id,
                one.email,
                one.fate.value,
            )
            for one in submission.recipients
        ],
    )
    await put_mime(connection, submission, pieces)
    return True


async def hold(connection: Connection, submission: Submission) -> Submission | None:
    """The submission as it now is, locked; None when another owner took it since."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE tenant_id = $1 AND submission_id = $2 AND fence = $3 FOR UPDATE
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.fence,
    )
    return next(iter(await read(connection, rows)), None)


async def hold_interrupted(connection: Connection, limit: int) -> list[Submission]:
    """Submissions whose owner went away with the dot perhaps on the wire, locked."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE stage = 'transmitting' AND lease_until <= now()
         ORDER BY submission_id LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
    )
    return await read(connection, rows)


async def hold_resting(
    connection: Connection, tenant_id: UUID, account_id: UUID, limit: int
) -> list[Submission]:
    """Submissions of an account that nobody works on, locked."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE tenant_id = $1 AND account_id = $2
           AND (stage = 'waiting' OR stage = 'sending' AND lease_until <= now())
         ORDER BY submission_id LIMIT $3 FOR UPDATE
        """,
        tenant_id,
        account_id,
        limit,
    )
    return await read(connection, rows)


async def hold_unfiled(
    connection: Connection, tenant_id: UUID, submission_ids: Collection[UUID]
) -> list[Submission]:
    """Those of these submissions that we do not know a copy in Sent of, locked."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE tenant_id = $1 AND submission_id = ANY($2) AND NOT filed
         ORDER BY submission_id FOR UPDATE
        """,
        tenant_id,
        list(submission_ids),
    )
    return await read(connection, rows)


async def put_state(connection: Connection, submission: Submission) -> None:
    """Write what a held submission came to; its lease ends."""
    await connection.execute(
        """
        UPDATE submission
           SET state = $3, revision = $4, due_at = $5, reason = $6, server_said = $7,
               stage = 'waiting', lease_owner = NULL, lease_until = NULL,
               settled_at = CASE WHEN $8 THEN coalesce(settled_at, now()) END
         WHERE tenant_id = $1 AND submission_id = $2
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.state.value,
        submission.revision,
        submission.due_at,
        submission.reason,
        submission.server_said,
        submission.is_settled,
    )
    await connection.executemany(
        """
        UPDATE recipient SET fate = $3, code = $4, enhanced_code = $5, server_said = $6
         WHERE submission_id = $1 AND number = $2
        """,
        [
            (
                submission.submission_id,
                one.number,
                one.fate.value,
                one.code,
                one.enhanced_code,
                one.server_said,
            )
            for one in submission.recipients
        ],
    )


async def put_filed(connection: Connection, submission: Submission) -> None:
    """A copy is in Sent; nothing else of the submission is touched, whoever works on it."""
    await connection.execute(
        """
        UPDATE submission SET filed = true, revision = $3
         WHERE tenant_id = $1 AND submission_id = $2
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.revision,
    )


async def put_attempt(
    connection: Connection, submission: Submission, *, took: timedelta, phase: str | None
) -> None:
    """Log an attempt that ended now; an attempt that is heard of again is known better now."""
    await connection.execute(
        """
        INSERT INTO attempt (submission_id, number, tenant_id, account_id, began_at, ended_at,
                             state, phase, reason, server_said)
        VALUES ($1, $2, $3, $4, now() - $5::interval, now(), $6, $7, $8, $9)
        ON CONFLICT (submission_id, number) DO UPDATE
           SET ended_at = excluded.ended_at, state = excluded.state, phase = excluded.phase,
               reason = excluded.reason, server_said = excluded.server_said
        """,
        submission.submission_id,
        submission.attempts,
        submission.tenant_id,
        submission.account_id,
        took,
        submission.state.value,
        phase,
        submission.reason,
        submission.server_said,
    )


async def hasten(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Try again at once what was put off for a reason of the account, not of the message."""
    await connection.execute(
        """
        UPDATE submission SET due_at = now()
         WHERE tenant_id = $1 AND account_id = $2 AND state = 'deferred' AND stage = 'waiting'
           AND reason IS NOT NULL AND due_at > now()
        """,
        tenant_id,
        account_id,
    )


async def delete_submissions(
    connection: Connection, tenant_id: UUID, submission_ids: Collection[UUID]
) -> None:
    """Forget submissions with all that belongs to them."""
    await connection.execute(
        "DELETE FROM submission WHERE tenant_id = $1 AND submission_id = ANY($2)",
        tenant_id,
        list(submission_ids),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much is still to be done, for metrics."""

    submissions: int
    oldest_seconds: float
    uncertain: int


async def waiting(connection: Connection) -> Waiting:
    row = await connection.fetchrow(
        """
        SELECT (SELECT count(*) FROM submission WHERE due_at IS NOT NULL) AS submissions,
               (SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
                  FROM submission WHERE due_at IS NOT NULL) AS oldest,
               (SELECT count(*) FROM submission WHERE state = 'uncertain') AS uncertain
        """
    )
    assert row is not None
    return Waiting(row["submissions"], row["oldest"], row["uncertain"])

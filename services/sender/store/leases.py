"""Who works on which submission, and until when."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from uuid import UUID

from services.sender.domain.fate import Answer, fate_of
from services.sender.domain.submission import Submission
from services.sender.store.rows import read
from shared.db import Connection


async def claim(
    connection: Connection, owner: UUID, *, limit: int, per_account: int, lease: timedelta
) -> list[Submission]:
    """Take up to so many submissions that are due; they are this owner's until the lease ends.

    Accounts take turns: the first of each comes before the second of any. How many an account
    may have under way is counted across replicas without locking, so it is kept roughly.
    One that may have been handed over (`transmitting`) is never taken, nor one without bytes.
    """
    rows = await connection.fetch(
        """
        WITH running AS (
            SELECT account_id, count(*) AS busy FROM submission
             WHERE lease_until > now() GROUP BY account_id
        ), due AS (
            SELECT submission_id,
                   coalesce(busy, 0) + row_number() OVER (
                       PARTITION BY account_id ORDER BY due_at, submission_id) AS place
              FROM submission JOIN account USING (tenant_id, account_id)
              LEFT JOIN running USING (account_id)
             WHERE due_at <= now() AND stage <> 'transmitting' AND piece_count > 0
               AND (lease_until IS NULL OR lease_until <= now())
               AND removed_at IS NULL
        ), taken AS (
            SELECT submission_id FROM submission JOIN due USING (submission_id)
             WHERE place <= $3
               -- Said again: another replica may have taken the row since `due` saw it.
               AND due_at <= now() AND stage <> 'transmitting'
               AND (lease_until IS NULL OR lease_until <= now())
             ORDER BY place, due_at LIMIT $2 FOR UPDATE OF submission SKIP LOCKED
        )
        UPDATE submission
           SET stage = 'sending', lease_owner = $1, lease_until = now() + $4, fence = fence + 1,
               attempts = attempts + 1, first_attempt_at = coalesce(first_attempt_at, now())
          FROM taken WHERE submission.submission_id = taken.submission_id
        RETURNING submission.submission_id
        """,
        owner,
        limit,
        per_account,
        lease,
    )
    return await read(connection, rows)


async def keep_leases(
    connection: Connection, owner: UUID, submission_ids: Collection[UUID], lease: timedelta
) -> None:
    """Go on owning what this process still works on."""
    await connection.execute(
        """
        UPDATE submission SET lease_until = now() + $3
         WHERE lease_owner = $1 AND submission_id = ANY($2)
        """,
        owner,
        list(submission_ids),
        lease,
    )


async def let_go(connection: Connection, submission: Submission) -> None:
    """Give back what was begun and not handed over; anybody may begin anew at once."""
    await connection.execute(
        """
        UPDATE submission SET stage = 'waiting', lease_owner = NULL, lease_until = NULL
         WHERE tenant_id = $1 AND submission_id = $2 AND fence = $3 AND stage = 'sending'
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.fence,
    )


async def begin_transmitting(
    connection: Connection,
    submission: Submission,
    answers: Iterable[tuple[int, Answer | None]],
    lease: timedelta,
) -> bool:
    """Write down, before the dot, that it is due and for whom; False when another owns it.

    After this commit nobody begins this submission anew, whatever happens to us.
    """
    ours = await connection.fetchval(
        """
        UPDATE submission SET stage = 'transmitting', lease_until = now() + $4
         WHERE tenant_id = $1 AND submission_id = $2 AND fence = $3 AND stage = 'sending'
        RETURNING true
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.fence,
        lease,
    )
    if not ours:
        return False
    await connection.executemany(
        """
        UPDATE recipient
           SET handed_over = $3, fate = coalesce($4, fate), code = $5, enhanced_code = $6,
               server_said = $7
         WHERE submission_id = $1 AND number = $2
        """,
        [
            (
                submission.submission_id,
                number,
                answer is None,
                fate_of(answer.stage, answer.reply).value if answer else None,
                answer.reply.code if answer and answer.reply else None,
                answer.reply.enhanced_code if answer and answer.reply else None,
                answer.reply.text if answer and answer.reply else None,
            )
            for number, answer in answers
        ],
    )
    return True

"""Who works on which submission, until when, and whether it may have been handed over."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.sender.domain.fate import Answer, fate_of
from services.sender.domain.submission import Submission
from services.sender.store.rows import read
from shared.db import Connection


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


async def hold_begun(connection: Connection, submission: Submission) -> Submission | None:
    """A submission that its owner has in hand and did not hand over, locked; None if it lost it."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE tenant_id = $1 AND submission_id = $2 AND fence = $3 AND stage <> 'waiting'
           FOR UPDATE
        """,
        submission.tenant_id,
        submission.submission_id,
        submission.fence,
    )
    return next(iter(await read(connection, rows)), None)


async def hold_left(connection: Connection, limit: int) -> list[Submission]:
    """Submissions whose owner went away before anything was handed over, locked."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE stage = 'sending' AND lease_until <= now()
         ORDER BY submission_id LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
    )
    return await read(connection, rows)


@dataclass(frozen=True, slots=True)
class Mark:
    """A submission whose dot is due, and what was answered to each recipient by its number.

    None stands for a recipient that was taken.
    """

    submission: Submission
    answers: Sequence[tuple[int, Answer | None]]


async def begin_transmitting(
    connection: Connection, marks: Sequence[Mark], lease: timedelta
) -> set[UUID]:
    """Write down, before the dots, that they are due and for whom; those that are still ours.

    After this commit nobody begins these submissions anew, whatever happens to us.
    """
    answered = [
        (mark.submission, number, answer, answer.reply if answer else None)
        for mark in marks
        for number, answer in mark.answers
    ]
    ours = await connection.fetch(
        """
        WITH ours AS (
            UPDATE submission SET stage = 'transmitting', lease_until = now() + $3
              FROM unnest($1::uuid[], $2::bigint[]) AS marked (submission_id, fence)
             WHERE submission.submission_id = marked.submission_id
               AND submission.fence = marked.fence AND stage = 'sending'
            RETURNING submission.submission_id
        ), written AS (
            UPDATE recipient
               SET handed_over = told.handed_over, fate = coalesce(told.fate, recipient.fate),
                   code = told.code, enhanced_code = told.enhanced_code,
                   server_said = told.server_said
              FROM unnest($4::uuid[], $5::integer[], $6::boolean[], $7::text[], $8::integer[],
                          $9::text[], $10::text[])
                AS told (submission_id, number, handed_over, fate, code, enhanced_code, server_said)
              JOIN ours ON ours.submission_id = told.submission_id
             WHERE recipient.submission_id = told.submission_id AND recipient.number = told.number
        )
        SELECT submission_id FROM ours
        """,
        [mark.submission.submission_id for mark in marks],
        [mark.submission.fence for mark in marks],
        lease,
        [submission.submission_id for submission, _, _, _ in answered],
        [number for _, number, _, _ in answered],
        [answer is None for _, _, answer, _ in answered],
        [
            fate_of(answer.stage, reply).value if answer else None
            for _, _, answer, reply in answered
        ],
        [reply and reply.code for _, _, _, reply in answered],
        [reply and reply.enhanced_code for _, _, _, reply in answered],
        [reply and reply.text for _, _, _, reply in answered],
    )
    return {row["submission_id"] for row in ours}

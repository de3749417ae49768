"""What is heard of submissions after they were sent, and who is sent nothing more."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from services.sender.domain.hearsay import Shunned
from services.sender.domain.submission import Submission
from services.sender.store.rows import read
from services.sender.store.submissions import put_states
from shared.contracts.submission import Suppression, SuppressionReason
from shared.db import Connection


async def hold_named(
    connection: Connection, tenant_id: UUID, account_id: UUID, message_id: str
) -> Submission | None:
    """The account's submission of this Message-ID, locked, that nobody has in hand."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE tenant_id = $1 AND account_id = $2 AND message_id_header = $3 AND stage = 'waiting'
         ORDER BY submission_id LIMIT 1 FOR UPDATE
        """,
        tenant_id,
        account_id,
        message_id,
    )
    return next(iter(await read(connection, rows)), None)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A submission in doubt, and what is done about it."""

    submission: Submission
    seeks: int  # how often traces were sought
    retries: bool  # its sender wants it sent once more


async def hold_uncertain(
    connection: Connection, tenant_id: UUID, submission_id: UUID
) -> Doubt | None:
    """A submission in doubt, locked; None when it is in doubt no more."""
    row = await connection.fetchrow(
        """
        SELECT submission_id, seeks, retries_in_doubt AND piece_count > 0 AS retries
          FROM submission
         WHERE tenant_id = $1 AND submission_id = $2 AND state = 'uncertain' AND stage = 'waiting'
           FOR UPDATE
        """,
        tenant_id,
        submission_id,
    )
    if row is None:
        return None
    [submission] = await read(connection, [row])
    return Doubt(submission, row["seeks"], row["retries"])


async def put_retried(connection: Connection, submission: Submission) -> None:
    """It is begun anew, in other hands; should it be in doubt again, traces are sought anew."""
    await put_states(connection, [submission])
    await connection.execute(
        """
        UPDATE submission SET fence = fence + 1, seeks = 0
         WHERE tenant_id = $1 AND submission_id = $2
        """,
        submission.tenant_id,
        submission.submission_id,
    )
    await connection.execute(
        """
        UPDATE recipient SET handed_over = false
         WHERE submission_id = $1 AND fate = 'deferred'
        """,
        submission.submission_id,
    )


async def hold_to_seek(connection: Connection, limit: int) -> list[tuple[Submission, int]]:
    """Submissions in doubt whose traces are to be sought now, and how often they were; locked."""
    rows = await connection.fetch(
        """
        SELECT submission_id, seeks FROM submission
         WHERE seek_at <= now() AND state = 'uncertain'
         ORDER BY seek_at LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
    )
    seeks = {row["submission_id"]: row["seeks"] for row in rows}
    return [(one, seeks[one.submission_id]) for one in await read(connection, rows)]


async def put_seeks(connection: Connection, after: Mapping[UUID, timedelta | None]) -> None:
    """These were sought, and are sought again after so long."""
    await connection.execute(
        """
        UPDATE submission SET seeks = seeks + 1, seek_at = now() + sought.after
          FROM unnest($1::uuid[], $2::interval[]) AS sought (submission_id, after)
         WHERE submission.submission_id = sought.submission_id
        """,
        list(after),
        list(after.values()),
    )


async def suppress(
    connection: Connection, tenant_id: UUID, shunned: Sequence[Shunned], submission_id: UUID | None
) -> None:
    """Send these nothing more; who is on the list stays there for the reason he came."""
    await connection.executemany(
        """
        INSERT INTO suppression (tenant_id, email, reason, said, submission_id)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
        """,
        [
            (tenant_id, one.email.lower(), one.reason.value, one.said, submission_id)
            for one in shunned
        ],
    )


async def unsuppress(connection: Connection, tenant_id: UUID, email: str) -> None:
    """Send to this address again."""
    await connection.execute(
        "DELETE FROM suppression WHERE tenant_id = $1 AND email = $2", tenant_id, email.lower()
    )


async def suppressed(
    connection: Connection, submissions: Collection[Submission]
) -> dict[UUID, frozenset[str]]:
    """Of these submissions, whom each may not be sent to, where there is anybody."""
    rows = await connection.fetch(
        """
        SELECT submission.submission_id, array_agg(suppression.email) AS emails
          FROM submission JOIN recipient USING (submission_id)
          JOIN suppression ON suppression.tenant_id = submission.tenant_id
                          AND suppression.email = lower(recipient.email)
         WHERE submission.submission_id = ANY($1) AND NOT ignores_suppressions
         GROUP BY submission.submission_id
        """,
        [one.submission_id for one in submissions],
    )
    return {row["submission_id"]: frozenset(row["emails"]) for row in rows}


async def suppressed_of(
    connection: Connection, tenant_id: UUID, emails: Collection[str]
) -> frozenset[str]:
    """Those of these addresses that the tenant sends nothing to."""
    rows = await connection.fetch(
        "SELECT email FROM suppression WHERE tenant_id = $1 AND email = ANY($2)",
        tenant_id,
        [email.lower() for email in emails],
    )
    return frozenset(row["email"] for row in rows)


async def suppressions(
    connection: Connection, tenant_id: UUID, email: str | None, after: str | None, limit: int
) -> list[Suppression]:
    """Whom the tenant sends nothing to, by address."""
    rows = await connection.fetch(
        """
        SELECT email, reason, said, submission_id, created_at FROM suppression
         WHERE tenant_id = $1 AND ($2::text IS NULL OR email = $2) AND email > $3
         ORDER BY email LIMIT $4
        """,
        tenant_id,
        email and email.lower(),
        after or "",
        limit,
    )
    return [_suppression(row) for row in rows]


def _suppression(row: asyncpg.Record) -> Suppression:
    return Suppression(
        email=row["email"],
        reason=SuppressionReason(row["reason"]),
        said=row["said"],
        submission_id=row["submission_id"],
        created_at=row["created_at"],
    )

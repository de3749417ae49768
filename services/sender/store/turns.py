"""Who has something due, and taking it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from services.sender.domain.submission import Submission
from services.sender.domain.turns import Sender
from services.sender.store.rows import read
from shared.db import Connection

_SHORT_BYTES = 64 * 1024


async def senders_with_due(connection: Connection, limit: int) -> list[Sender]:
    """Accounts that have something due and may send; from each to the next in one step.

    However much waits, this costs by the number of accounts that it waits for.
    """
    rows = await connection.fetch(
        """
        WITH RECURSIVE waits AS (
            (SELECT tenant_id, account_id, due_at FROM submission
              WHERE stage = 'waiting' AND due_at IS NOT NULL AND piece_count > 0
              ORDER BY tenant_id, account_id, due_at LIMIT 1)
            UNION ALL
            SELECT following.tenant_id, following.account_id, following.due_at
              FROM waits CROSS JOIN LATERAL (
                   SELECT tenant_id, account_id, due_at FROM submission
                    WHERE stage = 'waiting' AND due_at IS NOT NULL AND piece_count > 0
                      AND (tenant_id, account_id) > (waits.tenant_id, waits.account_id)
                    ORDER BY tenant_id, account_id, due_at LIMIT 1) AS following
        )
        SELECT tenant_id, account_id FROM waits JOIN account USING (tenant_id, account_id)
         WHERE due_at <= now() AND removed_at IS NULL AND NOT held
           AND (rests_until IS NULL OR rests_until <= now())
         LIMIT $1
        """,
        limit,
    )
    return [Sender(row["tenant_id"], row["account_id"]) for row in rows]


async def next_due_at(connection: Connection) -> datetime | None:
    """When the next submission becomes due that is not due yet."""
    return await connection.fetchval(
        """
        SELECT min(due_at) FROM submission
         WHERE due_at > now() AND stage = 'waiting' AND piece_count > 0
        """
    )


async def hold_due(
    connection: Connection, wanted: Mapping[Sender, int], *, per_account: int
) -> list[Submission]:
    """Up to so many due submissions of each account, its oldest first, locked to be begun.

    What may have been handed over (`transmitting`) is never among them, nor what another replica
    takes at this moment. Of an account that failed last, one is taken to see whether its server
    serves it again. How many an account may have under way is counted across replicas without
    locking, so it is kept roughly.
    """
    rows = await connection.fetch(
        """
        SELECT due.submission_id
          FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS wanted (tenant_id, account_id, room)
          JOIN account USING (tenant_id, account_id)
         CROSS JOIN LATERAL (
               SELECT count(*)::integer AS count FROM submission
                WHERE submission.tenant_id = wanted.tenant_id
                  AND submission.account_id = wanted.account_id AND stage <> 'waiting') AS busy
         CROSS JOIN LATERAL (
               SELECT submission_id FROM submission
                WHERE submission.tenant_id = wanted.tenant_id
                  AND submission.account_id = wanted.account_id
                  AND stage = 'waiting' AND due_at <= now() AND piece_count > 0
                ORDER BY due_at, submission_id
                LIMIT greatest(0, least(
                      room, CASE WHEN failures > 0 THEN 1 ELSE $4 END - busy.count))
                  FOR UPDATE SKIP LOCKED) AS due
         WHERE removed_at IS NULL AND NOT held AND (rests_until IS NULL OR rests_until <= now())
        """,
        [sender.tenant_id for sender in wanted],
        [sender.account_id for sender in wanted],
        list(wanted.values()),
        per_account,
    )
    return await read(connection, rows)


async def begin(
    connection: Connection, submissions: Collection[Submission], owner: UUID, lease: timedelta
) -> dict[UUID, bytes]:
    """Write down of held submissions that their attempt begins: the owner's, for its lease.

    The bytes of those that are short enough to be read before they are needed.
    """
    rows = await connection.fetch(
        """
        UPDATE submission
           SET stage = 'sending', lease_owner = $1, lease_until = now() + $2, fence = begun.fence,
               state = begun.state, revision = begun.revision, attempts = begun.attempts,
               first_attempt_at = begun.first_attempt_at, slot_at = NULL
          FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::bigint[], $7::integer[],
                      $8::timestamptz[])
            AS begun (submission_id, fence, state, revision, attempts, first_attempt_at)
         WHERE submission.submission_id = begun.submission_id
        RETURNING submission.submission_id,
                  CASE WHEN piece_count = 1 AND size_bytes <= $9
                       THEN (SELECT data FROM mime_piece
                              WHERE mime_piece.submission_id = submission.submission_id
                                AND number = 0) END AS data
        """,
        owner,
        lease,
        [one.submission_id for one in submissions],
        [one.fence for one in submissions],
        [one.state.value for one in submissions],
        [one.revision for one in submissions],
        [one.attempts for one in submissions],
        [one.first_attempt_at for one in submissions],
        _SHORT_BYTES,
    )
    return {row["submission_id"]: row["data"] for row in rows if row["data"] is not None}

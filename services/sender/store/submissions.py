"""Submissions on their way, and what became of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.sender.domain.submission import Submission
from services.sender.domain.turns import Sender
from services.sender.store.mime import put_mime
from services.sender.store.rows import read
from shared.contracts.submission import SendMessage
from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Frozen:
    """A submission as it is kept: its bytes, or what is to be composed when its files are here."""

    submission: Submission
    pieces: Sequence[bytes]
    date_is_ours: bool
    ignores_suppressions: bool
    retries_in_doubt: bool
    letter: SendMessage | None
    meant_for: datetime  # when it was to go, as it was asked for

    @property
    def sender(self) -> Sender:
        return Sender(self.submission.tenant_id, self.submission.account_id)


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that ended: what the submission came to, how long it took, how far it came."""

    submission: Submission
    took: timedelta
    phase: str | None


async def put_submissions(connection: Connection, frozen: Sequence[Frozen]) -> set[UUID]:
    """Freeze submissions; those that are new. What is here already does not change."""
    each = {one.submission.submission_id: one for one in frozen}
    people = [
        (one.submission, person) for one in each.values() for person in one.submission.recipients
    ]
    whole = [one for one in each.values() if len(one.pieces) == 1]
    rows = await connection.fetch(
        """
        WITH new AS (
            INSERT INTO submission
                   (submission_id, tenant_id, account_id, state, revision, message_id_header,
                    sender_email, size_bytes, piece_count, needs_smtputf8, due_at, reason,
                    server_said, settled_at, seek_at, expires_at, date_is_ours,
                    ignores_suppressions, retries_in_doubt)
            SELECT submission_id, tenant_id, account_id, state, revision, message_id_header,
                   sender_email, size_bytes, piece_count, needs_smtputf8, due_at, reason,
                   server_said, CASE WHEN settled THEN now() END,
                   CASE WHEN state = 'uncertain' THEN now() END, expires_at, date_is_ours,
                   ignores_suppressions, retries_in_doubt
              FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[],
                          $6::text[], $7::text[], $8::bigint[], $9::integer[], $10::boolean[],
                          $11::timestamptz[], $12::text[], $13::text[], $14::boolean[],
                          $15::timestamptz[], $16::boolean[], $17::boolean[], $18::boolean[])
                AS frozen (submission_id, tenant_id, account_id, state, revision,
                           message_id_header, sender_email, size_bytes, piece_count,
                           needs_smtputf8, due_at, reason, server_said, settled, expires_at,
                           date_is_ours, ignores_suppressions, retries_in_doubt)
            ON CONFLICT (submission_id) DO NOTHING
            RETURNING submission_id, tenant_id, account_id
        ), addressed AS (
            INSERT INTO recipient (submission_id, number, tenant_id, account_id, email, fate)
            SELECT submission_id, number, tenant_id, account_id, email, fate
              FROM new JOIN unnest($19::uuid[], $20::integer[], $21::text[], $22::text[])
                         AS people (submission_id, number, email, fate) USING (submission_id)
        ), written AS (
            INSERT INTO mime_piece (submission_id, number, tenant_id, account_id, data)
            SELECT submission_id, 0, tenant_id, account_id, data
              FROM new JOIN unnest($23::uuid[], $24::bytea[])
                         AS short (submission_id, data) USING (submission_id)
        )
        SELECT submission_id FROM new
        """,
        list(each),
        [one.submission.tenant_id for one in each.values()],
        [one.submission.account_id for one in each.values()],
        [one.submission.state.value for one in each.values()],
        [one.submission.revision for one in each.values()],
        [one.submission.message_id for one in each.values()],
        [one.submission.sender for one in each.values()],
        [one.submission.size_bytes for one in each.values()],
        [len(one.pieces) for one in each.values()],
        [one.submission.needs_smtputf8 for one in each.values()],
        [one.submission.due_at for one in each.values()],
        [one.submission.reason for one in each.values()],
        [one.submission.server_said for one in each.values()],
        [one.submission.is_settled for one in each.values()],
        [one.submission.expires_at for one in each.values()],
        [one.date_is_ours for one in each.values()],
        [one.ignores_suppressions for one in each.values()],
        [one.retries_in_doubt for one in each.values()],
        [submission.submission_id for submission, _ in people],
        [person.number for _, person in people],
        [person.email for _, person in people],
        [person.fate.value for _, person in people],
        [one.submission.submission_id for one in whole],
        [one.pieces[0] for one in whole],
    )
    new = {row["submission_id"] for row in rows}
    for submission_id, one in each.items():
        if submission_id in new and len(one.pieces) > 1:
            await put_mime(connection, one.submission, one.pieces)
    return new


async def hold(connection: Connection, submissions: Sequence[Submission]) -> list[Submission]:
    """The submissions as they now are, locked; without those that another owner took since."""
    rows = await connection.fetch(
        """
        SELECT submission_id
          FROM submission JOIN unnest($1::uuid[], $2::bigint[]) AS ours (submission_id, fence)
               USING (submission_id, fence)
         ORDER BY submission_id FOR UPDATE OF submission
        """,
        [one.submission_id for one in submissions],
        [one.fence for one in submissions],
    )
    return await read(connection, rows)


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


async def hold_overtaken(
    connection: Connection, restored_at: datetime, limit: int
) -> list[Submission]:
    """Submissions that were due, or in somebody's hand, before the database was restored."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE (due_at <= $1 OR lease_until IS NOT NULL)
         ORDER BY submission_id LIMIT $2 FOR UPDATE
        """,
        restored_at,
        limit,
    )
    return await read(connection, rows)


async def restored_at(connection: Connection) -> datetime | None:
    """Since when a restored database is in use; None when it never came out of a backup."""
    return await connection.fetchval("SELECT max(noticed_at) FROM restoration")


async def hold_resting(
    connection: Connection, tenant_id: UUID, account_id: UUID, limit: int
) -> list[Submission]:
    """Submissions of an account that nobody works on, locked."""
    rows = await connection.fetch(
        """
        SELECT submission_id FROM submission
         WHERE tenant_id = $1 AND account_id = $2
           AND stage = 'waiting'
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


async def put_states(
    connection: Connection, submissions: Sequence[Submission], ended: Sequence[Ended] = ()
) -> None:
    """Write what held submissions came to, and of their recipients; their leases end.

    Attempts that ended now are logged; one that is heard of again is known better now.
    """
    people = [(one.submission_id, person) for one in submissions for person in one.recipients]
    await connection.execute(
        """
        WITH recipients AS (
            UPDATE recipient
               SET fate = told.fate, code = told.code, enhanced_code = told.enhanced_code,
                   server_said = told.server_said
              FROM unnest($8::uuid[], $9::integer[], $10::text[], $11::integer[], $12::text[],
                          $13::text[])
                AS told (submission_id, number, fate, code, enhanced_code, server_said)
             WHERE recipient.submission_id = told.submission_id AND recipient.number = told.number
        ), attempts AS (
            INSERT INTO attempt (submission_id, number, tenant_id, account_id, began_at, ended_at,
                                 state, phase, reason, server_said)
            SELECT submission_id, number, tenant_id, account_id, now() - took, now(), state, phase,
                   reason, server_said
              FROM unnest($14::uuid[], $15::integer[], $16::uuid[], $17::uuid[], $18::interval[],
                          $19::text[], $20::text[], $21::text[], $22::text[])
                AS ended (submission_id, number, tenant_id, account_id, took, state, phase, reason,
                          server_said)
            ON CONFLICT (submission_id, number) DO UPDATE
               SET ended_at = excluded.ended_at, state = excluded.state, phase = excluded.phase,
                   reason = excluded.reason, server_said = excluded.server_said
        )
        UPDATE submission
           SET state = came.state, revision = came.revision, due_at = came.due_at,
               reason = came.reason, server_said = came.server_said, slot_at = NULL,
               stage = 'waiting', lease_owner = NULL, lease_until = NULL,
               settled_at = CASE WHEN came.settled THEN coalesce(submission.settled_at, now()) END,
               seek_at = CASE WHEN came.state = 'uncertain'
                              THEN coalesce(submission.seek_at, now()) END
          FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[],
                      $6::text[], $7::boolean[])
            AS came (submission_id, state, revision, due_at, reason, server_said, settled)
         WHERE submission.submission_id = came.submission_id
        """,
        [one.submission_id for one in submissions],
        [one.state.value for one in submissions],
        [one.revision for one in submissions],
        [one.due_at for one in submissions],
        [one.reason for one in submissions],
        [one.server_said for one in submissions],
        [one.is_settled for one in submissions],
        [submission_id for submission_id, _ in people],
        [person.number for _, person in people],
        [person.fate.value for _, person in people],
        [person.code for _, person in people],
        [person.enhanced_code for _, person in people],
        [person.server_said for _, person in people],
        [one.submission.submission_id for one in ended],
        [one.submission.attempts for one in ended],
        [one.submission.tenant_id for one in ended],
        [one.submission.account_id for one in ended],
        [one.took for one in ended],
        [one.submission.state.value for one in ended],
        [one.phase for one in ended],
        [one.submission.reason for one in ended],
        [one.submission.server_said for one in ended],
    )


async def put_fates(connection: Connection, submissions: Sequence[Submission]) -> None:
    """Write what became of their recipients."""
    people = [(one.submission_id, person) for one in submissions for person in one.recipients]
    await connection.execute(
        """
        UPDATE recipient
           SET fate = told.fate, code = told.code, enhanced_code = told.enhanced_code,
               server_said = told.server_said
          FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[])
            AS told (submission_id, number, fate, code, enhanced_code, server_said)
         WHERE recipient.submission_id = told.submission_id AND recipient.number = told.number
        """,
        [submission_id for submission_id, _ in people],
        [person.number for _, person in people],
        [person.fate.value for _, person in people],
        [person.code for _, person in people],
        [person.enhanced_code for _, person in people],
        [person.server_said for _, person in people],
    )


async def put_filed(
    connection: Connection, tenant_id: UUID, submissions: Sequence[Submission]
) -> None:
    """Copies are in Sent; nothing else of the submissions is touched, whoever works on them."""
    await connection.execute(
        """
        UPDATE submission SET filed = true, revision = came.revision
          FROM unnest($2::uuid[], $3::bigint[]) AS came (submission_id, revision)
         WHERE tenant_id = $1 AND submission.submission_id = came.submission_id
        """,
        tenant_id,
        [one.submission_id for one in submissions],
        [one.revision for one in submissions],
    )


async def hasten(connection: Connection, tenant_id: UUID, account_id: UUID) -> None:
    """Try again at once what was put off: the account has other settings now."""
    await connection.execute(
        """
        UPDATE submission SET due_at = now()
         WHERE tenant_id = $1 AND account_id = $2 AND state = 'deferred' AND stage = 'waiting'
           AND due_at > now()
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
               (SELECT coalesce(extract(epoch FROM now() - min(submission.created_at)), 0)::float8
                  FROM submission JOIN account USING (tenant_id, account_id)
                 WHERE due_at IS NOT NULL AND NOT held) AS oldest,
               (SELECT count(*) FROM submission WHERE state = 'uncertain') AS uncertain
        """
    )
    assert row is not None
    return Waiting(row["submissions"], row["oldest"], row["uncertain"])

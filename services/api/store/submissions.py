"""Submissions as sender tells of them, and as they were asked for."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.cursors import After
from services.api.domain.told import storable
from shared.contracts.mail import Address
from shared.contracts.submission import Group, Recipient, SubmissionChanged, SubmissionState
from shared.db import Connection


class Addressed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom a message was written to."""

    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    to_groups: tuple[Group, ...] = ()
    cc_groups: tuple[Group, ...] = ()


class NewSubmission(Struct, frozen=True, kw_only=True):
    """What a caller asks to be sent, without its text."""

    submission_id: UUID
    account_id: UUID
    created_by: UUID
    created_at: datetime
    subject: str
    addressed: Addressed
    sender: Address
    state: str  # until sender has spoken
    send_at: datetime | None
    expires_at: datetime | None
    answers: UUID | None  # a message, to be marked as answered
    forwards: UUID | None
    idempotency_key: str | None
    request_digest: bytes


class ShownSubmission(Struct, frozen=True, kw_only=True):
    """A submission and what became of it."""

    submission_id: UUID
    account_id: UUID
    created_at: datetime
    updated_at: datetime
    subject: str
    addressed: Addressed
    state: str
    rfc_message_id: str | None
    recipients: tuple[Recipient, ...]
    attempts: int
    next_attempt_at: datetime | None
    reason: str | None
    server_said: str | None
    filed: bool
    request_digest: bytes | None
    sender: Address | None
    answers: UUID | None
    forwards: UUID | None
    size_bytes: int
    expires_at: datetime | None
    change_id: UUID | None
    change_refused: str | None


class Followed(Struct, frozen=True, kw_only=True):
    """A submission that was accepted, and the messages to be marked for it."""

    tenant_id: UUID
    created_by: UUID
    answers: UUID | None
    forwards: UUID | None


class Told(Struct, frozen=True, kw_only=True):
    """A submission of which something newer was told, and what is to be done for it."""

    key: tuple[UUID, UUID]  # tenant and submission
    differs: bool  # it is in another state, or in its first
    has_uploads: bool
    followed: Followed | None  # its originals are to be marked, which nobody has done yet


_COLUMNS = """submission_id, account_id, created_at, updated_at, subject, addressed, state,
           rfc_message_id, recipients, attempts, next_attempt_at, reason, server_said, filed,
           request_digest, sender, answers, forwards, size_bytes, expires_at, change_id,
           change_refused"""
_SUBMISSION = f"SELECT {_COLUMNS} FROM submission"  # noqa: S608 - of ours
_addressed = msgspec.json.Decoder(Addressed)
_sender = msgspec.json.Decoder(Address)
_recipients = msgspec.json.Decoder(tuple[Recipient, ...])


async def add(
    connection: Connection, tenant_id: UUID, new: Sequence[NewSubmission]
) -> dict[UUID, ShownSubmission]:
    """Keep submissions; those whose Idempotency-Key did not make one already."""
    rows = await connection.fetch(
        f"""
        INSERT INTO submission (tenant_id, submission_id, account_id, created_by, created_at,
                                updated_at, subject, addressed, idempotency_key, request_digest,
                                sender, state, next_attempt_at, expires_at, answers, forwards,
                                followed)
        SELECT $1, submission_id, account_id, created_by, created_at, created_at, subject,
               addressed::json, idempotency_key, request_digest, sender::json, state, send_at,
               expires_at, answers, forwards, answers IS NULL AND forwards IS NULL
          FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[],
                      $7::text[], $8::text[], $9::bytea[], $10::text[], $11::text[],
                      $12::timestamptz[], $13::timestamptz[], $14::uuid[], $15::uuid[])
            AS new (submission_id, account_id, created_by, created_at, subject, addressed,
                    idempotency_key, request_digest, sender, state, send_at, expires_at, answers,
                    forwards)
        ON CONFLICT (tenant_id, created_by, idempotency_key)
              WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - of ours
        tenant_id,
        [one.submission_id for one in new],
        [one.account_id for one in new],
        [one.created_by for one in new],
        [one.created_at for one in new],
        [one.subject for one in new],
        [msgspec.json.encode(one.addressed).decode() for one in new],
        [one.idempotency_key for one in new],
        [one.request_digest for one in new],
        [msgspec.json.encode(one.sender).decode() for one in new],
        [one.state for one in new],
        [one.send_at for one in new],
        [one.expires_at for one in new],
        [one.answers for one in new],
        [one.forwards for one in new],
    )
    return {row["submission_id"]: _submission(row) for row in rows}


async def by_key(
    connection: Connection, tenant_id: UUID, created_by: UUID, key: str
) -> ShownSubmission | None:
    """The submission that this Idempotency-Key made."""
    row = await connection.fetchrow(
        f"{_SUBMISSION} WHERE tenant_id = $1 AND created_by = $2 AND idempotency_key = $3",
        tenant_id,
        created_by,
        key,
    )
    return row and _submission(row)


async def by_id(
    connection: Connection, tenant_id: UUID, submission_id: UUID
) -> ShownSubmission | None:
    row = await connection.fetchrow(
        f"{_SUBMISSION} WHERE tenant_id = $1 AND submission_id = $2", tenant_id, submission_id
    )
    return row and _submission(row)


async def newest(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID | None,
    states: Sequence[str],
    after: After | None,
    limit: int,
) -> list[ShownSubmission]:
    """The newest submissions in one of these states, in any where none is named."""
    rows = await connection.fetch(
        f"""
        {_SUBMISSION}
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR account_id = $2)
           AND ($3::timestamptz IS NULL OR (created_at, submission_id) < ($3, $4))
           AND (cardinality($6::text[]) = 0 OR state = ANY($6))
         ORDER BY created_at DESC, submission_id DESC
         LIMIT $5
        """,
        tenant_id,
        account_id,
        after and after.at,
        after and after.id,
        limit,
        list(states),
    )
    return [_submission(row) for row in rows]


async def put_states(
    connection: Connection,
    told: Sequence[SubmissionChanged],
    *,
    reached: Collection[SubmissionState],
) -> list[Told]:
    """What became of submissions, by the newest revision; returns those it was news of.

    The first state told is news, also when it is the one it began with. With a state of `reached`
    they are followed from now on. One event for each submission, sorted by tenant and id.
    """
    rows = await connection.fetch(
        """
        INSERT INTO submission AS known
               (tenant_id, submission_id, account_id, updated_at, revision, state, rfc_message_id,
                recipients, attempts, next_attempt_at, reason, server_said, filed, size_bytes,
                change_id, change_refused)
        SELECT tenant_id, submission_id, account_id, updated_at, revision, state, rfc_message_id,
               recipients, attempts, next_attempt_at, reason, server_said, filed, size_bytes,
               change_id, change_refused
          FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bigint[],
                      $6::text[], $7::text[], $8::json[], $9::integer[], $10::timestamptz[],
                      $11::text[], $12::text[], $13::boolean[], $14::bigint[], $15::uuid[],
                      $16::text[])
            AS told (tenant_id, submission_id, account_id, updated_at, revision, state,
                     rfc_message_id, recipients, attempts, next_attempt_at, reason, server_said,
                     filed, size_bytes, change_id, change_refused)
         ORDER BY tenant_id, submission_id
        ON CONFLICT (tenant_id, submission_id) DO UPDATE
           SET updated_at = excluded.updated_at, revision = excluded.revision,
               state = excluded.state, rfc_message_id = excluded.rfc_message_id,
               recipients = excluded.recipients, attempts = excluded.attempts,
               next_attempt_at = excluded.next_attempt_at, reason = excluded.reason,
               server_said = excluded.server_said, filed = excluded.filed,
               size_bytes = excluded.size_bytes,
               change_id = coalesce(excluded.change_id, known.change_id),
               change_refused = CASE WHEN excluded.change_id IS NULL THEN known.change_refused
                                     ELSE excluded.change_refused END,
               followed = known.followed
                          OR known.created_by IS NOT NULL AND excluded.state = ANY($17)
         WHERE known.account_id = excluded.account_id AND excluded.revision > known.revision
        RETURNING WITH (OLD AS before, NEW AS after)
                  after.tenant_id, after.submission_id,
                  before.state IS DISTINCT FROM after.state
                  OR coalesce(before.revision, 0) = 0 AS differs,
                  after.followed AND NOT before.followed AS follows,
                  after.created_by, after.answers, after.forwards,
                  EXISTS (SELECT FROM upload_use
                           WHERE tenant_id = after.tenant_id
                             AND used_by = after.submission_id) AS has_uploads
        """,
        [event.tenant_id for event in told],
        [event.submission_id for event in told],
        [event.account_id for event in told],
        [event.occurred_at for event in told],
        [event.revision for event in told],
        [event.state.value for event in told],
        [storable(event.message_id) for event in told],
        [msgspec.json.encode(event.recipients).decode() for event in told],
        [event.attempts for event in told],
        [event.next_attempt_at for event in told],
        [event.reason and storable(event.reason) for event in told],
        [event.server_said and storable(event.server_said) for event in told],
        [event.filed for event in told],
        [event.size_bytes for event in told],
        [event.change_id for event in told],
        [event.change_refused and storable(event.change_refused) for event in told],
        [state.value for state in reached],
    )
    return [
        Told(
            key=(row["tenant_id"], row["submission_id"]),
            differs=row["differs"],
            has_uploads=row["has_uploads"],
            followed=Followed(
                tenant_id=row["tenant_id"],
                created_by=row["created_by"],
                answers=row["answers"],
                forwards=row["forwards"],
            )
            if row["follows"]
            else None,
        )
        for row in rows
    ]


class Unspoken(Struct, frozen=True, kw_only=True):
    """A submission of which sender has not said anything."""

    tenant_id: UUID
    account_id: UUID
    submission_id: UUID


async def doubt_unspoken(connection: Connection) -> list[Unspoken]:
    """Call uncertain what sender has not spoken of yet; it may still do so. Which those are."""
    rows = await connection.fetch(
        """
        UPDATE submission SET state = 'uncertain', reason = 'restored', updated_at = now()
         WHERE revision = 0 RETURNING tenant_id, account_id, submission_id
        """
    )
    return [Unspoken(**row) for row in rows]


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID, limit: int) -> int:
    """Delete submissions of an account that is gone; returns how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM submission
             WHERE tenant_id = $1 AND submission_id IN (
                   SELECT submission_id FROM submission
                    WHERE tenant_id = $1 AND account_id = $2 LIMIT $3)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        tenant_id,
        account_id,
        limit,
    )


def _submission(row: asyncpg.Record) -> ShownSubmission:
    columns = dict(row)
    columns["addressed"] = _addressed.decode(columns["addressed"])
    if columns["sender"] is not None:
        columns["sender"] = _sender.decode(columns["sender"])
    columns["recipients"] = _recipients.decode(columns["recipients"])
    return ShownSubmission(**columns)


async def count_today(connection: Connection, tenant_id: UUID, account_id: UUID) -> int:
    """How many messages of the account were given to be sent since midnight UTC."""
    return await connection.fetchval(
        """
        SELECT count(*) FROM submission
         WHERE tenant_id = $1 AND account_id = $2
           AND created_at >= date_trunc('day', now(), 'UTC')
        """,
        tenant_id,
        account_id,
    )

"""What was asked with an Idempotency-Key, and what was answered."""

from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct

from shared.db import Connection


class Claim(Struct, frozen=True, kw_only=True):
    """A request that its caller may repeat."""

    tenant_id: UUID
    person_id: UUID
    key: str
    request_digest: bytes
    claimed_at: datetime


class Answer(Struct, frozen=True, kw_only=True):
    """What a request was answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Asked(Struct, frozen=True, kw_only=True):
    """An earlier request with the same key; without an answer it is still being carried out."""

    request_digest: bytes
    answer: Answer | None


async def claim(
    connection: Connection, claim: Claim, *, expired_before: datetime, lost_before: datetime
) -> Asked | None:
    """Take the key; None when it is taken, else who has it.

    A key that has expired may be taken anew, and so may one whose request was lost: it has no
    answer, and nobody works so long on one.
    """
    taken = await connection.fetchval(
        """
        INSERT INTO idempotency_key AS known (tenant_id, person_id, key, request_digest, claimed_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, person_id, key) DO UPDATE
           SET request_digest = excluded.request_digest, claimed_at = excluded.claimed_at,
               status = NULL, headers = NULL, body = NULL
         WHERE known.claimed_at < $6 OR (known.status IS NULL AND known.claimed_at < $7)
        RETURNING true
        """,
        claim.tenant_id,
        claim.person_id,
        claim.key,
        claim.request_digest,
        claim.claimed_at,
        expired_before,
        lost_before,
    )
    if taken:
        return None
    row = await connection.fetchrow(
        """
        SELECT request_digest, status, headers, body FROM idempotency_key
         WHERE tenant_id = $1 AND person_id = $2 AND key = $3
        """,
        claim.tenant_id,
        claim.person_id,
        claim.key,
    )
    if row is None:  # let go in this moment
        return Asked(request_digest=claim.request_digest, answer=None)
    answer = None
    if row["status"] is not None:
        headers = msgspec.json.decode(row["headers"], type=dict[str, str])
        answer = Answer(status=row["status"], headers=headers, body=row["body"])
    return Asked(request_digest=row["request_digest"], answer=answer)


async def keep(connection: Connection, claim: Claim, answer: Answer) -> None:
    """Remember what this request was answered, if the key is still its own."""
    await connection.execute(
        """
        UPDATE idempotency_key SET status = $5, headers = $6, body = $7
         WHERE tenant_id = $1 AND person_id = $2 AND key = $3 AND claimed_at = $4
        """,
        claim.tenant_id,
        claim.person_id,
        claim.key,
        claim.claimed_at,
        answer.status,
        msgspec.json.encode(answer.headers).decode(),
        answer.body,
    )


async def let_go(connection: Connection, claim: Claim) -> None:
    """Let the key be used again: nothing was done."""
    await connection.execute(
        """
        DELETE FROM idempotency_key
         WHERE tenant_id = $1 AND person_id = $2 AND key = $3 AND claimed_at = $4
           AND status IS NULL
        """,
        claim.tenant_id,
        claim.person_id,
        claim.key,
        claim.claimed_at,
    )


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Forget keys that were used before then; how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM idempotency_key WHERE (tenant_id, person_id, key) IN (
                SELECT tenant_id, person_id, key FROM idempotency_key
                 WHERE claimed_at < $1 ORDER BY claimed_at LIMIT $2)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        before,
        limit,
    )

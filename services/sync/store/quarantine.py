"""Messages that are on a server and could not be kept, and why. Never in the way of the next."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from services.sync.domain.covered import Covered
from shared.contracts.standing import QuarantinedMessage, QuarantineTotal
from shared.db import Connection

_DETAIL_CHARACTERS = 500


class Case(Struct, frozen=True, kw_only=True):
    """One message that could not be kept."""

    uid: int
    reason: str  # stable code: too_large, missing, unreadable, unstorable
    detail: str = ""  # in words, for people; never of the message itself
    size_bytes: int | None = None


async def put(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    mailbox_id: UUID,
    cases: Sequence[Case],
    release: str,
) -> None:
    """These messages were tried by this release of the software, and could not be kept."""
    await connection.executemany(
        """
        INSERT INTO quarantine AS known
               (mailbox_id, uid, tenant_id, account_id, reason, detail, size_bytes, release)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (mailbox_id, uid) DO UPDATE
           SET reason = excluded.reason, detail = excluded.detail,
               size_bytes = coalesce(excluded.size_bytes, known.size_bytes),
               attempts = known.attempts + 1, last_tried_at = now(), release = excluded.release
        """,
        [
            (
                mailbox_id,
                case.uid,
                tenant_id,
                account_id,
                case.reason,
                case.detail.replace("\0", "")[:_DETAIL_CHARACTERS],
                case.size_bytes,
                release,
            )
            for case in cases
        ],
    )


async def retry(connection: Connection, account_id: UUID, release: str) -> int:
    """Let what this release has not tried yet be owed again, once; how many messages.

    They stay listed until they are kept (`forget`) or tried in vain (`put`), so that nothing is
    lost whatever happens in between.
    """
    owed = await connection.fetchval(
        """
        WITH due AS (
            UPDATE quarantine SET release = $2
             WHERE account_id = $1 AND release <> $2 RETURNING mailbox_id, uid),
        owed AS (
            UPDATE mailbox SET covered = covered - due_there.uids, status = NULL
              FROM (SELECT mailbox_id, range_agg(int8range(uid, uid + 1)) AS uids
                      FROM due GROUP BY mailbox_id) AS due_there
             WHERE mailbox.mailbox_id = due_there.mailbox_id)
        SELECT count(*) FROM due
        """,
        account_id,
        release,
    )
    return owed or 0


async def uids_of(connection: Connection, mailbox_id: UUID) -> set[int]:
    """The UIDs in this mailbox that could not be kept."""
    rows = await connection.fetch("SELECT uid FROM quarantine WHERE mailbox_id = $1", mailbox_id)
    return {row["uid"] for row in rows}


async def forget(connection: Connection, mailbox_id: UUID, uids: Sequence[int]) -> int:
    """These could be kept after all, or are gone from the server; how many were known."""
    deleted = await connection.execute(
        "DELETE FROM quarantine WHERE mailbox_id = $1 AND uid = ANY($2)", mailbox_id, list(uids)
    )
    return int(deleted.rpartition(" ")[2])


async def forget_within(connection: Connection, mailbox_id: UUID, gone: Covered) -> None:
    """These UIDs are gone from the server, and what could not be kept of them with them."""
    bounds = gone.bounds()
    await connection.execute(
        """
        DELETE FROM quarantine USING unnest($2::bigint[], $3::bigint[]) AS span (lower, upper)
         WHERE mailbox_id = $1 AND uid >= span.lower AND uid < span.upper
        """,
        mailbox_id,
        [lower for lower, _ in bounds],
        [upper for _, upper in bounds],
    )


async def page(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[QuarantinedMessage]:
    """Some of what could not be kept, noticed last first."""
    rows = await connection.fetch(
        """
        SELECT quarantine_id, mailbox_id, reason, detail, size_bytes, attempts, noticed_at,
               last_tried_at
          FROM quarantine
         WHERE tenant_id = $1 AND account_id = $2
           AND ($3::timestamptz IS NULL OR (noticed_at, quarantine_id) < ($3, $4::uuid))
         ORDER BY noticed_at DESC, quarantine_id DESC LIMIT $5
        """,
        tenant_id,
        account_id,
        after and after[0],
        after and after[1],
        limit,
    )
    return [QuarantinedMessage(**row) for row in rows]


async def totals(
    connection: Connection, tenant_id: UUID, account_id: UUID
) -> tuple[QuarantineTotal, ...]:
    """How many messages could not be kept, by reason, most first."""
    rows = await connection.fetch(
        """
        SELECT reason, count(*) AS count FROM quarantine
         WHERE tenant_id = $1 AND account_id = $2
         GROUP BY reason ORDER BY count(*) DESC, reason
        """,
        tenant_id,
        account_id,
    )
    return tuple(QuarantineTotal(reason=row["reason"], count=row["count"]) for row in rows)

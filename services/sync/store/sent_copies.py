"""Sent messages that must be in Sent exactly once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from shared.contracts.submission import FileSentCopy
from shared.db import Connection


class SentCopy(Struct, frozen=True, kw_only=True):
    """A sent message to be found in Sent, or else filed there."""

    submission_id: UUID
    account_id: UUID
    tenant_id: UUID
    message_id: str  # the Message-ID header
    sent_at: datetime
    attempts: int


async def ask(connection: Connection, commands: Sequence[FileSentCopy]) -> None:
    """Remember to file these once; nothing where the account is gone."""
    await connection.execute(
        """
        INSERT INTO sent_copy (submission_id, tenant_id, account_id, message_id, sent_at)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[])
                   AS asked (submission_id, tenant_id, account_id, message_id, sent_at)
         WHERE NOT EXISTS (SELECT FROM account
                            WHERE account.account_id = asked.account_id AND removed_at IS NOT NULL)
        ON CONFLICT (submission_id) DO NOTHING
        """,
        [command.submission_id for command in commands],
        [command.tenant_id for command in commands],
        [command.account_id for command in commands],
        [command.message_id for command in commands],
        [command.sent_at for command in commands],
    )


async def due(connection: Connection, replica_id: UUID) -> dict[UUID, list[SentCopy]]:
    """What is due, by account, of the accounts this replica works on, paused ones apart."""
    rows = await connection.fetch(
        """
        SELECT submission_id, account_id, sent_copy.tenant_id, message_id, sent_at, attempts
          FROM sent_copy JOIN lease USING (account_id) JOIN account USING (account_id)
         WHERE filed_at IS NULL AND due_at <= now() AND lease.replica_id = $1
           AND account.paused_at IS NULL AND account.removed_at IS NULL
         ORDER BY due_at LIMIT 200
        """,
        replica_id,
    )
    found: dict[UUID, list[SentCopy]] = {}
    for row in rows:
        found.setdefault(row["account_id"], []).append(
            SentCopy(
                submission_id=row["submission_id"],
                account_id=row["account_id"],
                tenant_id=row["tenant_id"],
                message_id=row["message_id"],
                sent_at=row["sent_at"],
                attempts=row["attempts"],
            )
        )
    return found


async def put_appending(connection: Connection, submission_id: UUID) -> None:
    """From now on a copy in Sent may be ours."""
    await connection.execute(
        "UPDATE sent_copy SET appended = true WHERE submission_id = $1", submission_id
    )


async def put_filed(connection: Connection, submission_id: UUID) -> bool:
    """The copy is in Sent; False where we did not begin to append one: the server filed it."""
    return await connection.fetchval(
        """
        UPDATE sent_copy
           SET filed_at = now(), trouble = NULL, appended = coalesce(appended, false)
         WHERE submission_id = $1
        RETURNING appended
        """,
        submission_id,
    )


async def wait(
    connection: Connection, submission_ids: list[UUID], until: datetime, reason: str
) -> None:
    """Nobody may sign in before this moment: that is no failure of these copies."""
    await connection.execute(
        """
        UPDATE sent_copy SET due_at = $2, trouble = $3
         WHERE submission_id = ANY($1) AND filed_at IS NULL
        """,
        submission_ids,
        until,
        reason,
    )


async def put_off(
    connection: Connection, submission_ids: list[UUID], seconds: float, trouble: str
) -> None:
    """These could not be filed now; a failed copy never causes a resend."""
    await connection.execute(
        """
        UPDATE sent_copy SET due_at = now() + make_interval(secs => $2), trouble = $3,
                             attempts = attempts + 1
         WHERE submission_id = ANY($1) AND filed_at IS NULL
        """,
        submission_ids,
        seconds,
        trouble[:500],
    )

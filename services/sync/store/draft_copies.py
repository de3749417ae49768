"""Drafts of which one copy is to be in the account's mailbox for drafts."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from shared.contracts.draft import KeepDraft
from shared.contracts.envelope import decode, encode
from shared.contracts.submission import SendMessage
from shared.db import Connection


class DraftCopy(Struct, frozen=True, kw_only=True):
    """The copy that is wanted of a draft, and those that may be there from before."""

    draft_id: UUID
    account_id: UUID
    tenant_id: UUID
    version: int
    message: SendMessage | None  # None: no copy is to be there
    message_id: str | None  # the Message-ID header of the copy
    older: list[str]
    told_at: datetime
    attempts: int


async def ask(connection: Connection, command: KeepDraft, message_id: str | None) -> bool:
    """Want this version; False for one that is not newer, or whose account is gone.

    What was wanted before is to go.
    """
    return bool(
        await connection.fetchval(
            """
            INSERT INTO draft_copy AS known
                   (draft_id, tenant_id, account_id, version, message, message_id, told_at)
            SELECT $1, $2, $3, $4, $5, $6, $7
             WHERE NOT EXISTS (SELECT FROM account
                                WHERE account_id = $3 AND removed_at IS NOT NULL)
            ON CONFLICT (draft_id) DO UPDATE
               SET version = excluded.version, message = excluded.message,
                   message_id = excluded.message_id, told_at = excluded.told_at,
                   older = CASE WHEN known.message_id IS NULL THEN known.older
                                ELSE known.older || known.message_id END,
                   due_at = now(), filed_at = NULL, attempts = 0, trouble = NULL
             WHERE known.version < excluded.version AND known.account_id = excluded.account_id
            RETURNING true
            """,
            command.draft_id,
            command.tenant_id,
            command.account_id,
            command.version,
            None if command.message is None else encode(command.message),
            message_id,
            command.occurred_at,
        )
    )


async def due(connection: Connection, replica_id: UUID) -> dict[UUID, list[DraftCopy]]:
    """What is due, by account, of the accounts this replica works on, paused ones apart."""
    rows = await connection.fetch(
        """
        SELECT draft_id, account_id, draft_copy.tenant_id, draft_copy.version, message, message_id,
               older, told_at, attempts
          FROM draft_copy JOIN lease USING (account_id) JOIN account USING (account_id)
         WHERE filed_at IS NULL AND due_at <= now() AND lease.replica_id = $1
           AND account.paused_at IS NULL AND account.removed_at IS NULL
         ORDER BY due_at LIMIT 50
        """,
        replica_id,
    )
    found: dict[UUID, list[DraftCopy]] = {}
    for row in rows:
        message = row["message"]
        found.setdefault(row["account_id"], []).append(
            DraftCopy(
                draft_id=row["draft_id"],
                account_id=row["account_id"],
                tenant_id=row["tenant_id"],
                version=row["version"],
                message=None if message is None else decode(message, SendMessage),
                message_id=row["message_id"],
                older=row["older"],
                told_at=row["told_at"],
                attempts=row["attempts"],
            )
        )
    return found


async def put_filed(connection: Connection, copy: DraftCopy) -> None:
    """This copy is there and no older one, unless another version is wanted since.

    Where nothing is to be there, nothing is remembered for long either.
    """
    await connection.execute(
        """
        UPDATE draft_copy SET filed_at = now(), trouble = NULL, older = '{}', message = NULL
         WHERE draft_id = $1 AND version = $2
        """,
        copy.draft_id,
        copy.version,
    )


async def wait(connection: Connection, draft_ids: list[UUID], until: datetime, reason: str) -> None:
    """Nobody may sign in before this moment: that is no failure of these copies."""
    await connection.execute(
        """
        UPDATE draft_copy SET due_at = $2, trouble = $3
         WHERE draft_id = ANY($1) AND filed_at IS NULL
        """,
        draft_ids,
        until,
        reason,
    )


async def put_off(
    connection: Connection, draft_ids: list[UUID], seconds: float, trouble: str
) -> None:
    """These could not be filed now."""
    await connection.execute(
        """
        UPDATE draft_copy SET due_at = now() + make_interval(secs => $2), trouble = $3,
                              attempts = attempts + 1
         WHERE draft_id = ANY($1) AND filed_at IS NULL
        """,
        draft_ids,
        seconds,
        trouble[:500],
    )


async def forget_old(connection: Connection, days: int) -> None:
    """Delete what nothing was to be there of, long ago."""
    await connection.execute(
        """
        DELETE FROM draft_copy
         WHERE message_id IS NULL AND filed_at < now() - make_interval(days => $1)
        """,
        days,
    )

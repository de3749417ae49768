"""Messages that are being written."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.cursors import After
from services.api.domain.writing import Written
from shared.db import Connection


class Draft(Struct, frozen=True, kw_only=True):
    """A message as far as it is written."""

    tenant_id: UUID
    draft_id: UUID
    account_id: UUID
    created_by: UUID
    version: int
    written: Written
    replaces: UUID | None
    created_at: datetime
    updated_at: datetime


_DRAFT = """
    SELECT tenant_id, draft_id, account_id, created_by, version, written, replaces, created_at,
           updated_at
      FROM draft
"""
_written = msgspec.json.Decoder(Written)


async def add(
    connection: Connection,
    tenant_id: UUID,
    draft: Draft,
    copy_after_seconds: float,
) -> bool:
    """Keep a new draft; False when that message is being edited in another one already."""
    return bool(
        await connection.fetchval(
            """
            INSERT INTO draft (tenant_id, draft_id, account_id, created_by, written, replaces,
                               created_at, updated_at, copy_due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7, now() + make_interval(secs => $8))
            ON CONFLICT (tenant_id, replaces) WHERE replaces IS NOT NULL DO NOTHING
            RETURNING true
            """,
            tenant_id,
            draft.draft_id,
            draft.account_id,
            draft.created_by,
            msgspec.json.encode(draft.written).decode(),
            draft.replaces,
            draft.created_at,
            copy_after_seconds,
        )
    )


async def save(
    connection: Connection,
    tenant_id: UUID,
    draft_id: UUID,
    written: Written,
    now: datetime,
    copy_after_seconds: float,
) -> None:
    """Keep the next version. The copy waits, so that it is not made anew for each key pressed;
    but no longer than since the first change it does not show."""
    await connection.execute(
        """
        UPDATE draft
           SET version = version + 1, written = $3, updated_at = $4,
               copy_due_at = coalesce(copy_due_at, now() + make_interval(secs => $5))
         WHERE tenant_id = $1 AND draft_id = $2
        """,
        tenant_id,
        draft_id,
        msgspec.json.encode(written).decode(),
        now,
        copy_after_seconds,
    )


async def by_id(connection: Connection, tenant_id: UUID, draft_id: UUID) -> Draft | None:
    row = await connection.fetchrow(
        f"{_DRAFT} WHERE tenant_id = $1 AND draft_id = $2", tenant_id, draft_id
    )
    return row and _draft(row)


async def of_message(connection: Connection, tenant_id: UUID, message_id: UUID) -> Draft | None:
    """The draft in which this message is edited."""
    row = await connection.fetchrow(
        f"{_DRAFT} WHERE tenant_id = $1 AND replaces = $2", tenant_id, message_id
    )
    return row and _draft(row)


async def hold(connection: Connection, tenant_id: UUID, draft_id: UUID) -> Draft | None:
    """The draft; nobody else changes it before the commit."""
    row = await connection.fetchrow(
        f"{_DRAFT} WHERE tenant_id = $1 AND draft_id = $2 FOR UPDATE", tenant_id, draft_id
    )
    return row and _draft(row)


async def newest(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID | None,
    after: After | None,
    limit: int,
) -> list[Draft]:
    """Those that were changed last, behind `after`."""
    rows = await connection.fetch(
        f"""
        {_DRAFT}
         WHERE tenant_id = $1 AND ($2::uuid IS NULL OR account_id = $2)
           AND ($3::timestamptz IS NULL OR (updated_at, draft_id) < ($3, $4))
         ORDER BY updated_at DESC, draft_id DESC
         LIMIT $5
        """,
        tenant_id,
        account_id,
        after and after.at,
        after and after.id,
        limit,
    )
    return [_draft(row) for row in rows]


async def take_due(connection: Connection, limit: int) -> list[Draft]:
    """Some whose copies are to be made now; held, and not due any more."""
    rows = await connection.fetch(
        """
        UPDATE draft SET copy_due_at = NULL
          FROM (SELECT tenant_id, draft_id FROM draft WHERE copy_due_at <= now()
                 ORDER BY copy_due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
         WHERE draft.tenant_id = due.tenant_id AND draft.draft_id = due.draft_id
        RETURNING draft.tenant_id, draft.draft_id, account_id, created_by, version, written,
                  replaces, created_at, updated_at
        """,
        limit,
    )
    return [_draft(row) for row in rows]


async def put_replaced(connection: Connection, tenant_id: UUID, draft_id: UUID) -> None:
    """The message that it was read from is being removed."""
    await connection.execute(
        "UPDATE draft SET replaces = NULL WHERE tenant_id = $1 AND draft_id = $2",
        tenant_id,
        draft_id,
    )


async def remove(connection: Connection, tenant_id: UUID, draft_id: UUID) -> None:
    await connection.execute(
        "DELETE FROM draft WHERE tenant_id = $1 AND draft_id = $2", tenant_id, draft_id
    )


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> Sequence[UUID]:
    """Delete the drafts of an account that is gone; which."""
    rows = await connection.fetch(
        "DELETE FROM draft WHERE tenant_id = $1 AND account_id = $2 RETURNING draft_id",
        tenant_id,
        account_id,
    )
    return [row["draft_id"] for row in rows]


def _draft(row: asyncpg.Record) -> Draft:
    columns = dict(row)
    columns["written"] = _written.decode(columns["written"])
    return Draft(**columns)

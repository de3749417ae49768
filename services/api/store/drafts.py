"""Messages that are being written."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.cursors import After
from services.api.domain.elsewhere import DraftHere, DraftThere
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
# Of a mailbox with more drafts the newest are looked at: what is written on is among them.
_MOST_THERE = 2000


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
            WITH added AS (
                INSERT INTO draft (tenant_id, draft_id, account_id, created_by, written, replaces,
                                   created_at, updated_at, copy_due_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $7, now() + make_interval(secs => $8))
                ON CONFLICT (tenant_id, replaces) WHERE replaces IS NOT NULL DO NOTHING
                RETURNING version),
            read AS (
                INSERT INTO draft_there (tenant_id, account_id, draft_id, version, message_id)
                SELECT $1, $3, $2, version, $6 FROM added WHERE $6::uuid IS NOT NULL)
            SELECT true FROM added
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
          FROM (SELECT tenant_id, draft_id FROM draft
                 WHERE copy_due_at <= now()
                   -- Another program may be writing on: that is found out first.
                   AND NOT EXISTS (SELECT FROM drafts_changed
                                    WHERE drafts_changed.tenant_id = draft.tenant_id
                                      AND drafts_changed.account_id = draft.account_id)
                 ORDER BY copy_due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
         WHERE draft.tenant_id = due.tenant_id AND draft.draft_id = due.draft_id
        RETURNING draft.tenant_id, draft.draft_id, account_id, created_by, version, written,
                  replaces, created_at, updated_at
        """,
        limit,
    )
    return [_draft(row) for row in rows]


async def put_replaced(connection: Connection, tenant_id: UUID, draft_id: UUID) -> None:
    """The message that it was read from is being removed, or is another draft's."""
    await connection.execute(
        """
        WITH gone AS (DELETE FROM draft_there WHERE tenant_id = $1 AND draft_id = $2)
        UPDATE draft SET replaces = NULL WHERE tenant_id = $1 AND draft_id = $2
        """,
        tenant_id,
        draft_id,
    )


async def note_changed(
    connection: Connection,
    mailboxes: Sequence[tuple[UUID, UUID]],
    arrived: Sequence[tuple[UUID, UUID]],
) -> None:
    """Something came into, or went from, these mailboxes (tenant, mailbox): drafts may follow.

    Those (tenant, message) of what came that are our own copies are remembered.
    """
    noted = await connection.fetch(
        """
        INSERT INTO drafts_changed (tenant_id, account_id, look_at)
        SELECT DISTINCT mailbox.tenant_id, mailbox.account_id, clock_timestamp()
          FROM mailbox JOIN unnest($1::uuid[], $2::uuid[]) AS concerned (tenant_id, mailbox_id)
         USING (tenant_id, mailbox_id)
         WHERE role = 'drafts'
           AND EXISTS (SELECT FROM draft WHERE draft.tenant_id = mailbox.tenant_id
                                           AND draft.account_id = mailbox.account_id)
         ORDER BY mailbox.tenant_id, mailbox.account_id
        ON CONFLICT (tenant_id, account_id) DO UPDATE SET look_at = excluded.look_at
        RETURNING tenant_id
        """,
        [tenant_id for tenant_id, _ in mailboxes],
        [mailbox_id for _, mailbox_id in mailboxes],
    )
    if not noted:
        return
    await connection.execute(
        r"""
        INSERT INTO draft_there (tenant_id, account_id, draft_id, version, message_id)
        SELECT draft.tenant_id, draft.account_id, draft_id, named[2]::bigint, message_id
          FROM message JOIN unnest($1::uuid[], $2::uuid[]) AS came (tenant_id, message_id)
         USING (tenant_id, message_id),
               regexp_match(rfc_message_id, '^<?([0-9a-f-]{36})\.([0-9]{1,15})@') AS named
          JOIN draft ON draft.draft_id::text = named[1]
         WHERE draft.tenant_id = message.tenant_id AND draft.account_id = message.account_id
         ORDER BY message_id
        ON CONFLICT (tenant_id, draft_id, version) DO NOTHING
        """,
        [tenant_id for tenant_id, _ in arrived],
        [message_id for _, message_id in arrived],
    )


async def changed_longest_ago(connection: Connection) -> tuple[UUID, UUID, datetime] | None:
    """The account (tenant, account) whose drafts are to be held against its mailbox next."""
    row = await connection.fetchrow(
        """
        SELECT tenant_id, account_id, look_at FROM drafts_changed
         WHERE look_at <= clock_timestamp() ORDER BY look_at LIMIT 1
        """
    )
    return row and (row["tenant_id"], row["account_id"], row["look_at"])


async def put_compared(
    connection: Connection, tenant_id: UUID, account_id: UUID, seen: datetime
) -> None:
    """They were held against it, unless something changed since it was looked at."""
    await connection.execute(
        "DELETE FROM drafts_changed WHERE tenant_id = $1 AND account_id = $2 AND look_at = $3",
        tenant_id,
        account_id,
        seen,
    )


async def compare_later(
    connection: Connection, tenant_id: UUID, account_id: UUID, seconds: float
) -> None:
    await connection.execute(
        """
        UPDATE drafts_changed SET look_at = clock_timestamp() + make_interval(secs => $3)
         WHERE tenant_id = $1 AND account_id = $2
        """,
        tenant_id,
        account_id,
        seconds,
    )


async def here(connection: Connection, tenant_id: UUID, account_id: UUID) -> list[DraftHere]:
    """The account's drafts, to be held against what its mailbox has."""
    rows = await connection.fetch(
        """
        SELECT draft_id, version, there, there_version, replaces, written,
               copy_due_at IS NULL AS copy_asked
          FROM draft LEFT JOIN LATERAL (
               SELECT message_id AS there, draft_there.version AS there_version FROM draft_there
                WHERE draft_there.tenant_id = draft.tenant_id
                  AND draft_there.draft_id = draft.draft_id
                  AND draft_there.version <= draft.version
                ORDER BY draft_there.version DESC LIMIT 1) AS newest ON true
         WHERE tenant_id = $1 AND account_id = $2
        """,
        tenant_id,
        account_id,
    )
    found: list[DraftHere] = []
    for row in rows:
        columns = dict(row)
        written = _written.decode(columns.pop("written"))
        people = frozenset(one.email.lower() for one in written.to)
        found.append(DraftHere(**columns, subject=written.subject, people=people))
    return found


async def there(connection: Connection, tenant_id: UUID, account_id: UUID) -> list[DraftThere]:
    """The newest messages in the account's mailboxes for drafts."""
    rows = await connection.fetch(
        """
        SELECT message_id, rfc_message_id, subject,
               ARRAY(SELECT lower(one ->> 'email')
                       FROM json_array_elements(coalesce(details -> 'to', '[]')) AS one) AS people
          FROM message
         WHERE tenant_id = $1 AND listed
           AND mailbox_id IN (SELECT mailbox_id FROM mailbox
                               WHERE tenant_id = $1 AND account_id = $2 AND role = 'drafts')
         ORDER BY received_at DESC, message_id DESC LIMIT $3
        """,
        tenant_id,
        account_id,
        _MOST_THERE,
    )
    return [
        DraftThere(
            message_id=row["message_id"],
            rfc_message_id=row["rfc_message_id"],
            subject=row["subject"],
            people=frozenset(row["people"]),
        )
        for row in rows
    ]


async def follow(
    connection: Connection, tenant_id: UUID, draft_id: UUID, written: Written, message_id: UUID
) -> None:
    """The next version, as another program wrote it; that message is its copy until it changes."""
    await connection.execute(
        """
        WITH followed AS (
            UPDATE draft
               SET version = version + 1, written = $3, updated_at = now(), copy_due_at = NULL,
                   replaces = $4
             WHERE tenant_id = $1 AND draft_id = $2
            RETURNING account_id, version)
        INSERT INTO draft_there (tenant_id, account_id, draft_id, version, message_id)
        SELECT $1, account_id, $2, version, $4 FROM followed
        """,
        tenant_id,
        draft_id,
        msgspec.json.encode(written).decode(),
        message_id,
    )


async def remove(connection: Connection, tenant_id: UUID, draft_id: UUID) -> None:
    await connection.execute(
        """
        WITH gone AS (DELETE FROM draft_there WHERE tenant_id = $1 AND draft_id = $2)
        DELETE FROM draft WHERE tenant_id = $1 AND draft_id = $2
        """,
        tenant_id,
        draft_id,
    )


async def forget(connection: Connection, tenant_id: UUID, account_id: UUID) -> Sequence[UUID]:
    """Delete the drafts of an account that is gone; which."""
    for table in ("drafts_changed", "draft_there"):
        await connection.execute(
            f"DELETE FROM {table} WHERE tenant_id = $1 AND account_id = $2",  # noqa: S608
            tenant_id,
            account_id,
        )
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

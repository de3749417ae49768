"""Jobs: what one request asked for in one account, and how far it came."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from services.api.domain.changes import Asked
from shared.db import Connection


class Selection(Struct, frozen=True, kw_only=True):
    """Which messages of an account; those that come later are not among them."""

    mailbox_id: UUID | None = None
    thread_id: UUID | None = None
    label: str | None = None
    unread: bool | None = None
    found: bool = False  # only what was found when it was asked for


class NewJob(Struct, frozen=True, kw_only=True):
    """A job to do."""

    job_id: UUID
    account_id: UUID
    created_by: UUID
    asked: Asked
    selection: Selection | None = None
    undoes: UUID | None = None
    total: int = 0


class Job(Struct, frozen=True, kw_only=True):
    """A job as it stands."""

    job_id: UUID
    account_id: UUID
    created_by: UUID
    created_at: datetime
    updated_at: datetime
    asked: Asked
    selection: Selection | None
    gathered_up_to: UUID | None
    gathered: bool
    undoes: UUID | None
    undone_by: UUID | None
    total: int
    done: int
    failed: int
    state: str
    reason: str | None
    server_said: str | None
    actor: str | None  # JSON: on whose behalf it is done, as the log has it


_COLUMNS = """
    job_id, account_id, created_by, created_at, updated_at, change, selection, gathered_up_to,
    gathered_at IS NOT NULL AS gathered, undoes, undone_by, total, done, failed, state, reason,
    server_said, actor
"""
_asked = msgspec.json.Decoder(Asked)
_selection = msgspec.json.Decoder(Selection)


async def add(connection: Connection, tenant_id: UUID, new: NewJob, *, gathered: bool) -> None:
    """Remember what is asked for."""
    await connection.execute(
        """
        INSERT INTO job (tenant_id, job_id, account_id, created_by, change, selection, undoes,
                         total, gathered_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, CASE WHEN $9 THEN now() END)
        """,
        tenant_id,
        new.job_id,
        new.account_id,
        new.created_by,
        msgspec.json.encode(new.asked).decode(),
        None if new.selection is None else msgspec.json.encode(new.selection).decode(),
        new.undoes,
        new.total,
        gathered,
    )


async def by_id(connection: Connection, tenant_id: UUID, job_id: UUID) -> Job | None:
    """The job, unless it is forgotten."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM job WHERE tenant_id = $1 AND job_id = $2",  # noqa: S608
        tenant_id,
        job_id,
    )
    return row and _job(row)


async def hold(connection: Connection, tenant_id: UUID, job_id: UUID) -> Job | None:
    """The job; nobody else takes it on before the commit."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM job WHERE tenant_id = $1 AND job_id = $2 FOR UPDATE",  # noqa: S608
        tenant_id,
        job_id,
    )
    return row and _job(row)


async def to_gather(connection: Connection) -> tuple[UUID, UUID] | None:
    """The tenant and the id of the oldest job whose messages are not all gathered."""
    row = await connection.fetchrow(
        """
        SELECT tenant_id, job_id FROM job WHERE gathered_at IS NULL ORDER BY created_at LIMIT 1
        """
    )
    return row and (row["tenant_id"], row["job_id"])


async def put_gathered(
    connection: Connection,
    tenant_id: UUID,
    job_id: UUID,
    *,
    messages: int,
    up_to: UUID | None,
    all_of_them: bool,
) -> None:
    """So many messages more are in the job."""
    await connection.execute(
        """
        UPDATE job SET total = total + $3, gathered_up_to = coalesce($4, gathered_up_to),
                       gathered_at = CASE WHEN $5 THEN coalesce(gathered_at, now()) END,
                       updated_at = now()
         WHERE tenant_id = $1 AND job_id = $2
        """,
        tenant_id,
        job_id,
        messages,
        up_to,
        all_of_them,
    )


async def put_found(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    job_id: UUID,
    message_ids: Sequence[UUID],
) -> None:
    """These are what the job is about, until it is forgotten or all of them are gathered."""
    await connection.execute(
        """
        INSERT INTO job_message (tenant_id, job_id, message_id, account_id)
        SELECT DISTINCT $1::uuid, $2::uuid, found, $3::uuid FROM unnest($4::uuid[]) AS found
        """,
        tenant_id,
        job_id,
        account_id,
        message_ids,
    )


async def forget_found(connection: Connection, tenant_id: UUID, job_id: UUID) -> None:
    """All that was found is gathered."""
    await connection.execute(
        "DELETE FROM job_message WHERE tenant_id = $1 AND job_id = $2", tenant_id, job_id
    )


async def put_undone(
    connection: Connection, tenant_id: UUID, job_id: UUID, undone_by: UUID
) -> bool:
    """Another job undoes this one; False when one does already. No more of it is gathered."""
    return bool(
        await connection.fetchval(
            """
            UPDATE job SET undone_by = $3, updated_at = now(),
                           gathered_at = coalesce(gathered_at, now())
             WHERE tenant_id = $1 AND job_id = $2 AND undone_by IS NULL RETURNING true
            """,
            tenant_id,
            job_id,
            undone_by,
        )
    )


async def count(
    connection: Connection,
    tenant_id: UUID,
    job_id: UUID,
    *,
    done: int,
    failed: int,
    reason: str | None,
    server_said: str | None,
) -> Job | None:
    """So many of its messages are settled. The job, with the state that follows from it.

    It is held by the caller. What was canceled is neither done nor failed.
    """
    row = await connection.fetchrow(
        f"""
        UPDATE job SET done = done + $3, failed = failed + $4, updated_at = now(),
                       reason = coalesce($5, reason), server_said = coalesce($6, server_said),
                       state = CASE
                           WHEN gathered_at IS NULL
                                OR EXISTS (SELECT 1 FROM intent
                                            WHERE intent.tenant_id = $1 AND intent.job_id = $2
                                              AND settled_at IS NULL) THEN 'pending'
                           WHEN done + $3 + failed + $4 < total THEN 'undone'
                           WHEN failed + $4 = 0 THEN 'done'
                           WHEN done + $3 = 0 THEN 'failed'
                           ELSE 'partly_done' END
         WHERE tenant_id = $1 AND job_id = $2
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - columns from above
        tenant_id,
        job_id,
        done,
        failed,
        reason,
        server_said,
    )
    return row and _job(row)


async def select(
    connection: Connection,
    tenant_id: UUID,
    account_id: UUID,
    job_id: UUID,
    selection: Selection,
    after: UUID | None,
    limit: int,
) -> Sequence[UUID]:
    """The next messages that lists show of a selection, in the order of their ids.

    Ids follow time: one above the job's came after it.
    """
    # Each selection is a text of its own, for each is served by another index.
    arguments: list[object] = [tenant_id, account_id, after or UUID(int=0), job_id, limit]
    only: list[str] = []
    for condition, wanted in (
        ("mailbox_id = {}", selection.mailbox_id),
        ("thread_id = {}", selection.thread_id),
        ("unread = {}", selection.unread),
        ("labels @> ARRAY[{}]", selection.label),
    ):
        if wanted is not None:
            arguments.append(wanted)
            only.append(f"AND {condition.format(f'${len(arguments)}')}")
    among = (
        "(SELECT message_id FROM job_message WHERE tenant_id = $1 AND job_id = $4) AS found"
        " JOIN message USING (message_id)"
        if selection.found
        else "message"
    )
    rows = await connection.fetch(
        f"""
        SELECT message_id FROM {among}
         WHERE tenant_id = $1 AND account_id = $2 AND listed
           AND message_id > $3 AND message_id < $4
           {" ".join(only)}
         ORDER BY message_id LIMIT $5
        """,  # noqa: S608 - text of our own
        *arguments,
    )
    return [row["message_id"] for row in rows]


def _job(row: asyncpg.Record) -> Job:
    return Job(
        job_id=row["job_id"],
        account_id=row["account_id"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        asked=_asked.decode(row["change"]),
        selection=None if row["selection"] is None else _selection.decode(row["selection"]),
        gathered_up_to=row["gathered_up_to"],
        gathered=row["gathered"],
        undoes=row["undoes"],
        undone_by=row["undone_by"],
        total=row["total"],
        done=row["done"],
        failed=row["failed"],
        state=row["state"],
        reason=row["reason"],
        server_said=row["server_said"],
        actor=row["actor"],
    )

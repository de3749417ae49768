"""The audit: who did what. Rows are added, read, and forgotten when they are old; never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, convert
from uuid_utils.compat import uuid7

from services.api.domain.cursors import After
from services.api.domain.logbook import is_audited
from shared.contracts.ids import Kind, shown
from shared.db import Connection

_MOST_SUBJECTS = 20


class AuditEntry(Struct, frozen=True, kw_only=True):
    """Something that somebody did."""

    tenant_id: UUID
    audit_id: UUID = msgspec.field(default_factory=uuid7)
    occurred_at: datetime
    action: str
    person_id: UUID | None = None
    token_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    account_id: UUID | None = None
    subject: str | None = None
    details: dict[str, Any] = {}


class AuditFilter(Struct, frozen=True, kw_only=True):
    """Which entries are wanted; None: whatever it is."""

    action: str | None = None
    person_id: UUID | None = None
    account_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def note(connection: Connection, *entries: AuditEntry) -> None:
    """Write down what happens in this transaction."""
    await connection.execute(
        """
        INSERT INTO audit_log (tenant_id, audit_id, occurred_at, action, person_id, token_id,
               address, request_id, account_id, subject, details)
        SELECT tenant_id, audit_id, occurred_at, action, person_id, token_id, address, request_id,
               account_id, subject, details::json
          FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[],
                      $6::uuid[], $7::text[], $8::text[], $9::uuid[], $10::text[], $11::text[])
            AS noted (tenant_id, audit_id, occurred_at, action, person_id, token_id, address,
                      request_id, account_id, subject, details)
        """,
        [entry.tenant_id for entry in entries],
        [entry.audit_id for entry in entries],
        [entry.occurred_at for entry in entries],
        [entry.action for entry in entries],
        [entry.person_id for entry in entries],
        [entry.token_id for entry in entries],
        [entry.address for entry in entries],
        [entry.request_id for entry in entries],
        [entry.account_id for entry in entries],
        [entry.subject for entry in entries],
        [msgspec.json.encode(entry.details).decode() for entry in entries],
    )


async def page(
    connection: Connection,
    tenant_id: UUID,
    wanted: AuditFilter,
    *,
    after: After | None,
    limit: int,
) -> list[AuditEntry]:
    """Entries of a tenant, the newest first."""
    rows = await connection.fetch(
        """
        SELECT tenant_id, audit_id, occurred_at, action, person_id, token_id, address, request_id,
               account_id, subject, details
          FROM audit_log
         WHERE tenant_id = $1
           AND ($2::text IS NULL OR action = $2 OR starts_with(action, $2 || '.'))
           AND ($3::uuid IS NULL OR person_id = $3)
           AND ($4::uuid IS NULL OR account_id = $4)
           AND ($5::timestamptz IS NULL OR occurred_at >= $5)
           AND ($6::timestamptz IS NULL OR occurred_at < $6)
           AND ($7::timestamptz IS NULL OR (occurred_at, audit_id) < ($7, $8::uuid))
         ORDER BY occurred_at DESC, audit_id DESC
         LIMIT $9
        """,
        tenant_id,
        wanted.action,
        wanted.person_id,
        wanted.account_id,
        wanted.since,
        wanted.until,
        after.at if after else None,
        after.id if after else None,
        limit,
    )
    return [
        convert({**row, "details": msgspec.json.decode(row["details"])}, AuditEntry) for row in rows
    ]


async def behind(connection: Connection) -> list[UUID]:
    """Tenants whose log has grown since it was last read for the audit."""
    rows = await connection.fetch(
        """
        SELECT tenant_id FROM log_position
          LEFT JOIN audit_position USING (tenant_id)
         WHERE log_position.seq > coalesce(audit_position.seq, 0)
         ORDER BY tenant_id
        """
    )
    return [row["tenant_id"] for row in rows]


async def write_from_log(connection: Connection, tenant_id: UUID, limit: int) -> bool:
    """Read on in a tenant's log, and write down what was done; False when all was read.

    What one thing did to many, as to the messages of a batch, is one entry.
    """
    await connection.execute(
        "INSERT INTO audit_position (tenant_id, seq) VALUES ($1, 0) ON CONFLICT DO NOTHING",
        tenant_id,
    )
    read_to: int = await connection.fetchval(
        "SELECT seq FROM audit_position WHERE tenant_id = $1 FOR UPDATE", tenant_id
    )
    rows = await connection.fetch(
        """
        SELECT seq, event_id, type, account_id, occurred_at, actor, body
          FROM event_log
         WHERE tenant_id = $1 AND seq > $2
         ORDER BY seq
         LIMIT $3
        """,
        tenant_id,
        read_to,
        limit,
    )
    done: dict[tuple[UUID, str], list[Any]] = {}
    for row in rows:
        if row["actor"] is not None and is_audited(row["type"]):
            done.setdefault((row["event_id"], row["type"]), []).append(row)
    await note(connection, *(_entry(tenant_id, group) for group in done.values()))
    if rows:
        last = rows[-1]["seq"]
    else:  # what is behind the last one that is kept has been forgotten
        last = await connection.fetchval(
            "SELECT seq FROM log_position WHERE tenant_id = $1", tenant_id
        )
    await connection.execute(
        "UPDATE audit_position SET seq = greatest(seq, $2) WHERE tenant_id = $1",
        tenant_id,
        last or read_to,
    )
    return len(rows) == limit


def _entry(tenant_id: UUID, rows: list[Any]) -> AuditEntry:
    first = rows[0]
    actor: dict[str, str] = msgspec.json.decode(first["actor"])
    bodies: list[dict[str, Any]] = [msgspec.json.decode(row["body"]) for row in rows]
    subjects = [str(body["id"]) for body in bodies if "id" in body]
    account_id: UUID | None = first["account_id"]
    subject = subjects[0] if len(subjects) == 1 else None
    return AuditEntry(
        tenant_id=tenant_id,
        occurred_at=first["occurred_at"],
        action=first["type"],
        person_id=UUID(actor["person"]),
        token_id=UUID(actor["token"]) if "token" in actor else None,
        request_id=actor.get("request"),
        account_id=account_id,
        subject=subject or (account_id and shown(Kind.ACCOUNT, account_id)),
        details={"count": len(rows), "ids": subjects[:_MOST_SUBJECTS]} if len(rows) > 1 else {},
    )


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Let go of entries that are old enough; the database lets nothing newer go."""
    return await connection.fetchval("SELECT forget_audit(NULL, $1, $2)", before, limit)

"""What endpoints answered, attempt by attempt."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert, structs

from services.api.domain.cursors import After
from shared.db import Connection


class Delivery(Struct, frozen=True, kw_only=True):
    """One attempt to tell an endpoint of one event."""

    tenant_id: UUID
    delivery_id: UUID
    webhook_id: UUID
    account_id: UUID | None
    cursor: str | None  # in the log; a test has none
    event_id: str
    type: str
    attempt: int
    attempted_at: datetime
    result: str
    status: int | None = None
    milliseconds: int | None = None
    detail: str | None = None
    response_head: str | None = None
    response_body: str | None = None


_COLUMNS = ", ".join(Delivery.__struct_fields__)
_VALUES = ", ".join(f"${n + 1}" for n in range(len(Delivery.__struct_fields__)))


async def add(connection: Connection, delivery: Delivery) -> None:
    await connection.execute(
        f"INSERT INTO webhook_delivery ({_COLUMNS}) VALUES ({_VALUES})",  # noqa: S608 - names of our own columns
        *structs.astuple(delivery),
    )


async def page(
    connection: Connection,
    tenant_id: UUID,
    webhook_id: UUID,
    *,
    after: After | None,
    result: str | None,
    event_id: str | None,
    limit: int,
) -> list[Delivery]:
    """Newest first, as far as the caller may see them."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS}
          FROM webhook_delivery
         WHERE tenant_id = $1 AND webhook_id = $2
           AND ($3::timestamptz IS NULL OR (attempted_at, delivery_id) < ($3, $4))
           AND ($5::text IS NULL OR result = $5)
           AND ($6::text IS NULL OR event_id = $6)
         ORDER BY attempted_at DESC, delivery_id DESC
         LIMIT $7
        """,  # noqa: S608 - names of our own columns
        tenant_id,
        webhook_id,
        after and after.at,
        after and after.id,
        result,
        event_id,
        limit,
    )
    return [convert(dict(row), Delivery) for row in rows]


async def forget(connection: Connection, *, before: datetime, limit: int) -> int:
    """Delete old ones; returns how many went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM webhook_delivery
             WHERE (tenant_id, delivery_id) IN (
                   SELECT tenant_id, delivery_id FROM webhook_delivery
                    WHERE attempted_at < $1 ORDER BY attempted_at LIMIT $2)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        before,
        limit,
    )


async def forget_account(
    connection: Connection, tenant_id: UUID, account_id: UUID, limit: int
) -> int:
    """Delete what was answered to events of a deleted account; returns how many rows went."""
    return await connection.fetchval(
        """
        WITH gone AS (
            DELETE FROM webhook_delivery
             WHERE tenant_id = $1 AND delivery_id IN (
                   SELECT delivery_id FROM webhook_delivery
                    WHERE tenant_id = $1 AND account_id = $2 LIMIT $3)
            RETURNING 1)
        SELECT count(*) FROM gone
        """,
        tenant_id,
        account_id,
        limit,
    )

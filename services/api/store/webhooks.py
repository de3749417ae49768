"""Webhooks and their secrets. Whoever changes a webhook and its lanes locks the webhook first."""

from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct, convert

from services.api.domain.event_query import EventQuery, askable
from shared.contracts.search import Condition
from shared.db import Connection


class Webhook(Struct, frozen=True, kw_only=True):
    """An endpoint, what it wants to be told, and how it is doing."""

    tenant_id: UUID
    webhook_id: UUID
    acts_for: UUID
    url: str
    description: str
    types: list[str] | None
    account_ids: list[UUID] | None
    read_to: int
    paused_at: datetime | None
    paused_because: str | None
    failures: int
    failing_since: datetime | None
    succeeded_at: datetime | None
    failed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    query: EventQuery | None = None

    @property
    def told_types(self) -> list[str] | None:
        """The types of what it can want; None: any."""
        return self.types if self.query is None else askable(self.types)


class Secret(Struct, frozen=True, kw_only=True):
    """A secret that the receiver knows, sealed."""

    secret_id: UUID
    sealed: bytes
    created_at: datetime
    ends_at: datetime | None


_COLUMNS = """
    webhook.tenant_id, webhook_id, acts_for, url, description, types, account_ids, read_to,
    paused_at, paused_because, failures, failing_since, succeeded_at, failed_at,
    created_at, updated_at, query, condition
"""


def _webhook(row: asyncpg.Record) -> Webhook:
    columns = dict(row)
    query, condition = columns.pop("query"), columns.pop("condition")
    understood = query and EventQuery(
        text=query, condition=msgspec.json.decode(condition, type=Condition)
    )
    return convert(columns | {"query": understood}, Webhook)


def _condition(webhook: Webhook) -> str | None:
    return webhook.query and msgspec.json.encode(webhook.query.condition).decode()


async def lock_tenant(connection: Connection, tenant_id: UUID) -> int:
    """How many webhooks the tenant has; nobody adds another until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('webhooks of ' || $1::text, 0))",
        str(tenant_id),
    )
    return await connection.fetchval("SELECT count(*) FROM webhook WHERE tenant_id = $1", tenant_id)


async def add(connection: Connection, webhook: Webhook) -> None:
    await connection.execute(
        """
        INSERT INTO webhook (tenant_id, webhook_id, acts_for, url, description, types,
                             account_ids, read_to, created_at, updated_at, query, condition)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11)
        """,
        webhook.tenant_id,
        webhook.webhook_id,
        webhook.acts_for,
        webhook.url,
        webhook.description,
        webhook.types,
        webhook.account_ids,
        webhook.read_to,
        webhook.created_at,
        webhook.query and webhook.query.text,
        _condition(webhook),
    )


async def all_of(connection: Connection, tenant_id: UUID) -> list[Webhook]:
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM webhook WHERE tenant_id = $1 ORDER BY created_at, webhook_id",  # noqa: S608 - names of our own columns
        tenant_id,
    )
    return [_webhook(row) for row in rows]


async def by_id(connection: Connection, tenant_id: UUID, webhook_id: UUID) -> Webhook | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook WHERE tenant_id = $1 AND webhook_id = $2",  # noqa: S608 - names of our own columns
        tenant_id,
        webhook_id,
    )
    return row and _webhook(row)


async def hold(connection: Connection, tenant_id: UUID, webhook_id: UUID) -> Webhook | None:
    """The webhook, which nobody else changes until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook WHERE tenant_id = $1 AND webhook_id = $2 FOR UPDATE",  # noqa: S608 - names of our own columns
        tenant_id,
        webhook_id,
    )
    return row and _webhook(row)


async def change(connection: Connection, webhook: Webhook) -> None:
    """Let it be as a person wants it."""
    await connection.execute(
        """
        UPDATE webhook
           SET acts_for = $3, url = $4, description = $5, types = $6, account_ids = $7,
               read_to = $8, paused_at = $9, paused_because = $10, failures = $11,
               failing_since = $12, updated_at = $13, query = $14, condition = $15
         WHERE tenant_id = $1 AND webhook_id = $2
        """,
        webhook.tenant_id,
        webhook.webhook_id,
        webhook.acts_for,
        webhook.url,
        webhook.description,
        webhook.types,
        webhook.account_ids,
        webhook.read_to,
        webhook.paused_at,
        webhook.paused_because,
        webhook.failures,
        webhook.failing_since,
        webhook.updated_at,
        webhook.query and webhook.query.text,
        _condition(webhook),
    )


async def remove(connection: Connection, tenant_id: UUID, webhook_id: UUID) -> bool:
    """Let it be gone; what its endpoint answered goes with the other old deliveries."""
    for table in ("webhook_lane", "webhook_secret"):
        await connection.execute(
            f"DELETE FROM {table} WHERE tenant_id = $1 AND webhook_id = $2",  # noqa: S608 - names of ours
            tenant_id,
            webhook_id,
        )
    gone = await connection.fetchval(
        "DELETE FROM webhook WHERE tenant_id = $1 AND webhook_id = $2 RETURNING true",
        tenant_id,
        webhook_id,
    )
    return gone is True


# --- Secrets --------------------------------------------------------------------------------------


async def add_secret(
    connection: Connection,
    tenant_id: UUID,
    webhook_id: UUID,
    *,
    secret_id: UUID,
    key_id: str,
    sealed: bytes,
    now: datetime,
) -> None:
    await connection.execute(
        """
        INSERT INTO webhook_secret (tenant_id, webhook_id, secret_id, key_id, sealed, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        tenant_id,
        webhook_id,
        secret_id,
        key_id,
        sealed,
        now,
    )


async def end_secrets(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, *, now: datetime, ends_at: datetime
) -> None:
    """The newest is good until then, and all older ones are good no more."""
    await connection.execute(
        """
        DELETE FROM webhook_secret
         WHERE tenant_id = $1 AND webhook_id = $2 AND (ends_at IS NOT NULL OR $3)
        """,
        tenant_id,
        webhook_id,
        ends_at <= now,
    )
    await connection.execute(
        "UPDATE webhook_secret SET ends_at = $3 WHERE tenant_id = $1 AND webhook_id = $2",
        tenant_id,
        webhook_id,
        ends_at,
    )


async def live_secrets(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, now: datetime
) -> list[Secret]:
    """Those that are good now, the newest first."""
    rows = await connection.fetch(
        """
        SELECT secret_id, sealed, created_at, ends_at
          FROM webhook_secret
         WHERE tenant_id = $1 AND webhook_id = $2 AND (ends_at IS NULL OR ends_at > $3)
         ORDER BY created_at DESC, secret_id DESC
        """,
        tenant_id,
        webhook_id,
        now,
    )
    return [convert(dict(row), Secret) for row in rows]


async def forget_ended_secrets(connection: Connection, now: datetime) -> None:
    await connection.execute("DELETE FROM webhook_secret WHERE ends_at <= $1", now)


async def keys_in_use(connection: Connection) -> list[str]:
    """The keys without which some secret could not be opened any more."""
    rows = await connection.fetch("SELECT DISTINCT key_id FROM webhook_secret ORDER BY 1")
    return [row["key_id"] for row in rows]


# --- As the endpoint does -------------------------------------------------------------------------


async def unread(connection: Connection) -> tuple[UUID, UUID] | None:
    """One webhook that has not read all of the log, the one that waits longest."""
    row = await connection.fetchrow(
        """
        SELECT tenant_id, webhook_id
          FROM webhook
          JOIN log_position USING (tenant_id)
         WHERE read_to < seq
         ORDER BY read_at NULLS FIRST
         LIMIT 1
        """
    )
    return row and (row["tenant_id"], row["webhook_id"])


async def note_read(connection: Connection, webhook: Webhook, seq: int, now: datetime) -> None:
    await connection.execute(
        "UPDATE webhook SET read_to = $3, read_at = $4 WHERE tenant_id = $1 AND webhook_id = $2",
        webhook.tenant_id,
        webhook.webhook_id,
        seq,
        now,
    )


async def note_success(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, now: datetime
) -> bool:
    """The endpoint takes events; whether that is news, after some that it did not take."""
    row = await connection.fetchrow(
        """
        WITH was AS (
            SELECT failing_since FROM webhook
             WHERE tenant_id = $1 AND webhook_id = $2
               AND (failures > 0 OR succeeded_at IS NULL
                    OR succeeded_at < $3::timestamptz - interval '5 seconds')
               FOR UPDATE
        )
        UPDATE webhook SET failures = 0, failing_since = NULL, succeeded_at = $3
          FROM was
         WHERE tenant_id = $1 AND webhook_id = $2
        RETURNING was.failing_since IS NOT NULL AS recovered
        """,
        tenant_id,
        webhook_id,
        now,
    )
    return row is not None and row["recovered"]


async def note_failure(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, now: datetime
) -> None:
    """The endpoint did not take an event; the third in a row says that it is failing."""
    await connection.execute(
        """
        UPDATE webhook
           SET failures = failures + 1, failed_at = $3,
               failing_since = CASE WHEN failures >= 2 THEN coalesce(failing_since, $3) END
         WHERE tenant_id = $1 AND webhook_id = $2
        """,
        tenant_id,
        webhook_id,
        now,
    )


async def pause(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, because: str, now: datetime
) -> bool:
    """Tell it nothing for now; False when that was so already."""
    paused = await connection.fetchval(
        """
        UPDATE webhook SET paused_at = $4, paused_because = $3
         WHERE tenant_id = $1 AND webhook_id = $2 AND paused_at IS NULL
        RETURNING true
        """,
        tenant_id,
        webhook_id,
        because,
        now,
    )
    return paused is True

"""The event log: rows with numbers that have no gaps."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from msgspec import Struct, convert

from services.api.domain.logbook import Entry
from shared.db import Connection


class LogPosition(Struct, frozen=True, kw_only=True):
    """How far a tenant's log goes, and from where it is kept."""

    epoch: int
    seq: int
    kept_from: int


class LoggedEvent(Struct, frozen=True, kw_only=True):
    """One row of the log."""

    seq: int
    event_id: UUID
    n: int
    type: str
    account_id: UUID | None
    occurred_at: datetime
    body: str  # JSON


async def unlogged(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Those that the log does not hold yet: a fact may be heard twice, and is logged once."""
    if not entries:
        return []
    rows = await connection.fetch(
        """
        SELECT tenant_id, event_id, n
          FROM event_log
          JOIN unnest($1::uuid[], $2::uuid[], $3::smallint[]) AS told (tenant_id, event_id, n)
         USING (tenant_id, event_id, n)
        """,
        [entry.tenant_id for entry in entries],
        [entry.event_id for entry in entries],
        [entry.n for entry in entries],
    )
    logged = {(row["tenant_id"], row["event_id"], row["n"]) for row in rows}
    return [entry for entry in entries if (entry.tenant_id, entry.event_id, entry.n) not in logged]


async def append(connection: Connection, entries: Sequence[Entry]) -> dict[UUID, int]:
    """Number and keep these; the last thing a transaction does. Returns each tenant's last number.

    The number is taken under the lock of the tenant's position, which ends with the commit: who
    reads up to a number has read all before it. Tenants come in the order of their ids, so that
    two batches never wait for each other. `entries` holds only what is not logged yet.
    """
    grew: dict[UUID, int] = {}
    in_order = sorted(entries, key=lambda entry: entry.tenant_id)
    for tenant_id, group in groupby(in_order, key=lambda entry: entry.tenant_id):
        rows = list(group)
        seq = await connection.fetchval(
            """
            WITH taken AS (
                UPDATE log_position SET seq = seq + $2
                 WHERE tenant_id = $1
                RETURNING seq - $2 AS before
            ), kept AS (
                INSERT INTO event_log
                       (tenant_id, seq, event_id, n, type, account_id, occurred_at, body, actor)
                SELECT $1, before + place, event_id, n, type, account_id, occurred_at, body::json,
                       coalesce(actor, nullif(current_setting('postbus.actor', true), ''))::json
                  FROM taken,
                       unnest($3::uuid[], $4::smallint[], $5::text[], $6::uuid[],
                              $7::timestamptz[], $8::text[], $9::text[]) WITH ORDINALITY
                       AS told (event_id, n, type, account_id, occurred_at, body, actor, place)
            )
            SELECT before + $2 FROM taken
            """,
            tenant_id,
            len(rows),
            [row.event_id for row in rows],
            [row.n for row in rows],
            [row.type for row in rows],
            [row.account_id for row in rows],
            [row.occurred_at for row in rows],
            [row.body.decode() for row in rows],
            [row.actor for row in rows],
        )
        if seq is not None:  # a tenant that is gone has no log
            grew[tenant_id] = seq
    return grew


async def begin_epoch(connection: Connection, epoch: int) -> None:
    """Let cursors of before be known as such; a later epoch is a greater number."""
    await connection.execute("UPDATE log_position SET epoch = greatest(epoch + 1, $1)", epoch)


async def position(connection: Connection, tenant_id: UUID) -> LogPosition | None:
    row = await connection.fetchrow(
        "SELECT epoch, seq, kept_from FROM log_position WHERE tenant_id = $1", tenant_id
    )
    return row and convert(dict(row), LogPosition)


async def last_numbers(connection: Connection, tenant_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How far the logs of these tenants go."""
    rows = await connection.fetch(
        "SELECT tenant_id, seq FROM log_position WHERE tenant_id = ANY($1)", tenant_ids
    )
    return {row["tenant_id"]: row["seq"] for row in rows}


async def read(
    connection: Connection,
    tenant_id: UUID,
    *,
    after: int,
    account_id: UUID | None,
    types: Sequence[str] | None,
    limit: int,
) -> tuple[LogPosition | None, list[LoggedEvent]]:
    """How far the log goes, and what the caller may see of it behind a number, in order.

    One statement, one snapshot: up to the position that is returned nothing is missing, neither
    what was being written nor what was being forgotten meanwhile.
    """
    rows = await connection.fetch(
        """
        SELECT place.epoch, place.seq AS last, place.kept_from,
               told.seq, event_id, n, type, account_id, occurred_at, body
          FROM log_position AS place
          LEFT JOIN LATERAL (
               SELECT seq, event_id, n, type, account_id, occurred_at, body
                 FROM event_log
                WHERE tenant_id = $1 AND seq > $2
                  AND ($3::uuid IS NULL OR account_id = $3)
                  AND ($4::text[] IS NULL OR type = ANY($4))
                ORDER BY seq
                LIMIT $5) AS told ON true
         WHERE place.tenant_id = $1
         ORDER BY told.seq
        """,
        tenant_id,
        after,
        account_id,
        types,
        limit,
    )
    if not rows:
        return None, []
    first = rows[0]
    position = LogPosition(epoch=first["epoch"], seq=first["last"], kept_from=first["kept_from"])
    return position, [convert(dict(row), LoggedEvent) for row in rows if row["seq"] is not None]


async def tenants_with_a_log(connection: Connection) -> list[UUID]:
    rows = await connection.fetch(
        "SELECT tenant_id FROM log_position WHERE kept_from <= seq ORDER BY tenant_id"
    )
    return [row["tenant_id"] for row in rows]


async def trim(connection: Connection, tenant_id: UUID, *, before: datetime, limit: int) -> int:
    """Forget the oldest rows of a tenant's log; returns how many went."""
    return await connection.fetchval(
        """
        WITH place AS (
            SELECT kept_from FROM log_position WHERE tenant_id = $1 FOR UPDATE
        ), oldest AS (
            SELECT seq, logged_at
              FROM event_log, place
             WHERE tenant_id = $1 AND seq >= place.kept_from
             ORDER BY seq LIMIT $3
        ), old AS (
            SELECT seq FROM oldest
             WHERE seq < coalesce((SELECT min(seq) FROM oldest WHERE logged_at >= $2),
                                  9223372036854775807)
        ), gone AS (
            DELETE FROM event_log WHERE tenant_id = $1 AND seq IN (SELECT seq FROM old)
        ), moved AS (
            UPDATE log_position
               SET kept_from = (SELECT max(seq) + 1 FROM old)
             WHERE tenant_id = $1 AND EXISTS (SELECT FROM old)
        )
        SELECT count(*) FROM old
        """,
        tenant_id,
        before,
        limit,
    )


async def silence(connection: Connection, tenant_id: UUID, account_id: UUID, limit: int) -> int:
    """Take the words out of what was logged of a deleted account; the numbers stay.

    The log keeps that something happened; whose mail it was and what it said goes with the mail.
    """
    return await connection.fetchval(
        """
        WITH telling AS (
            SELECT seq FROM event_log
             WHERE tenant_id = $1 AND account_id = $2
               AND type <> 'account.deleted' AND body::text <> '{}'
             ORDER BY seq LIMIT $3
        ), silenced AS (
            UPDATE event_log SET body = '{}'
             WHERE tenant_id = $1 AND seq IN (SELECT seq FROM telling)
        )
        SELECT count(*) FROM telling
        """,
        tenant_id,
        account_id,
        limit,
    )

"""Lanes: what a webhook is yet to be told of one account. Gone when there is nothing to tell."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct, convert

from services.api.domain.event_query import ASKABLE_TYPES
from services.api.store.log import LoggedEvent
from services.api.store.webhooks import Webhook
from shared.db import Connection


class Lane(Struct, frozen=True, kw_only=True):
    """One account's events on their way to one endpoint, and the lease on them."""

    tenant_id: UUID
    webhook_id: UUID
    lane: UUID
    account_id: UUID | None
    seq: int
    wanted_to: int
    attempts: int
    failing_since: datetime | None
    fence: int


class WaitingEvent(LoggedEvent, frozen=True, kw_only=True):
    """The next event of a lane."""

    epoch: int
    logged_at: datetime


class Waiting(Struct, frozen=True, kw_only=True):
    """What an endpoint is yet to be told."""

    accounts: int
    failing: int  # of them
    events: int  # counted up to a limit
    oldest_at: datetime | None
    next_at: datetime | None


class Loss(Struct, frozen=True, kw_only=True):
    """What of a lane left the log before it was told."""

    tenant_id: UUID
    webhook_id: UUID
    account_id: UUID | None
    events: int
    first: int
    last: int
    epoch: int


_COLUMNS = """
    known.tenant_id, known.webhook_id, known.lane, known.account_id, known.seq, known.wanted_to,
    known.attempts, known.failing_since, known.fence
"""


async def lay(connection: Connection, webhook: Webhook, *, up_to: int, now: datetime) -> None:
    """Let what the log says up to there, of what this webhook wants, be in its lanes."""
    await connection.execute(
        """
        WITH news AS (
            SELECT account_id, min(seq) AS first, max(seq) AS last
              FROM event_log
             WHERE tenant_id = $1 AND seq > $3 AND seq <= $4
               AND ($5::text[] IS NULL OR type = ANY($5))
               AND ($6::uuid[] IS NULL OR account_id = ANY($6))
             GROUP BY account_id
        )
        INSERT INTO webhook_lane AS known
               (tenant_id, webhook_id, lane, account_id, seq, wanted_to, due_at)
        SELECT $1, $2, coalesce(account_id, $1), account_id, first - 1, last, $7 FROM news
         ORDER BY 3
        ON CONFLICT (tenant_id, webhook_id, lane) DO UPDATE
           SET wanted_to = greatest(known.wanted_to, excluded.wanted_to)
        """,
        webhook.tenant_id,
        webhook.webhook_id,
        webhook.read_to,
        up_to,
        webhook.told_types,
        webhook.account_ids,
        now,
    )


async def claim(
    connection: Connection,
    *,
    now: datetime,
    lease: timedelta,
    at_once: int,
    failing_at_once: int,
    of_each: int,
) -> list[Lane]:
    """Take lanes that are due, for as long as the lease: those of endpoints that do well first.

    Of each endpoint only so many at a time, whoever holds them; of one that fails, one: who does
    not answer keeps nobody else waiting.
    """
    rows = await connection.fetch(
        f"""
        WITH held AS (
            SELECT tenant_id, webhook_id, count(*) AS count
              FROM webhook_lane WHERE leased_until > $1
             GROUP BY tenant_id, webhook_id
        ), due AS (
            SELECT tenant_id, webhook_id, lane, due_at, failing_since IS NOT NULL AS failing,
                   coalesce(held.count, 0) + row_number() OVER (
                       PARTITION BY tenant_id, webhook_id ORDER BY due_at, lane) AS place
              FROM (SELECT tenant_id, webhook_id, lane, due_at FROM webhook_lane
                     WHERE due_at <= $1 AND paused_at IS NULL
                       AND (leased_until IS NULL OR leased_until <= $1)) AS idle
              JOIN webhook USING (tenant_id, webhook_id)
              JOIN tenant USING (tenant_id)
              LEFT JOIN held USING (tenant_id, webhook_id)
             WHERE webhook.paused_at IS NULL
               AND tenant.suspended_at IS NULL AND tenant.deleted_at IS NULL
        ), allowed AS (
            SELECT tenant_id, webhook_id, lane, due_at, failing,
                   row_number() OVER (PARTITION BY failing ORDER BY due_at) AS turn
              FROM due
             WHERE place <= CASE WHEN failing THEN 1 ELSE $5::bigint END
        ), chosen AS (
            SELECT tenant_id, webhook_id, lane FROM allowed
             WHERE turn <= CASE WHEN failing THEN $4::bigint ELSE $3::bigint END
             ORDER BY failing, due_at
             LIMIT $3::bigint
        ), free AS (
            SELECT tenant_id, webhook_id, lane
              FROM webhook_lane JOIN chosen USING (tenant_id, webhook_id, lane)
             WHERE leased_until IS NULL OR leased_until <= $1
               FOR UPDATE OF webhook_lane SKIP LOCKED
        )
        UPDATE webhook_lane AS known
           SET leased_until = $1::timestamptz + $2::interval, fence = fence + 1
          FROM free
         WHERE known.tenant_id = free.tenant_id AND known.webhook_id = free.webhook_id
           AND known.lane = free.lane
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - names of our own columns
        now,
        lease,
        at_once,
        failing_at_once,
        of_each,
    )
    return [convert(dict(row), Lane) for row in rows]


async def next_events(
    connection: Connection, lane: Lane, types: Sequence[str] | None, limit: int
) -> list[WaitingEvent]:
    """The next that this lane's endpoint is to be told, as far as the caller may see them."""
    # Two forms, since an index is walked for either, and for neither of them at once.
    whose = "account_id IS NULL" if lane.account_id is None else f"account_id = '{lane.account_id}'"
    rows = await connection.fetch(
        f"""
        SELECT event_log.seq, event_id, n, type, account_id, occurred_at, body, logged_at, epoch
          FROM event_log
          JOIN log_position USING (tenant_id)
         WHERE tenant_id = $1 AND event_log.seq > $2 AND event_log.seq <= $3 AND {whose}
           AND ($4::text[] IS NULL OR type = ANY($4))
         ORDER BY event_log.seq
         LIMIT $5
        """,  # noqa: S608 - names of our own columns
        lane.tenant_id,
        lane.seq,
        lane.wanted_to,
        types,
        limit,
    )
    return [convert(dict(row), WaitingEvent) for row in rows]


async def advance(
    connection: Connection, lane: Lane, *, seq: int, now: datetime, lease: timedelta
) -> Lane | None:
    """All up to here is told: the lane as it now is, or None when it is at its end.

    Also None when somebody else has the lease by now: what was told is told twice then.
    """
    row = await connection.fetchrow(
        f"""
        UPDATE webhook_lane AS known
           SET seq = $5, attempts = 0, failing_since = NULL,
               leased_until = $6::timestamptz + $7::interval
         WHERE tenant_id = $1 AND webhook_id = $2 AND lane = $3 AND fence = $4
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - names of our own columns
        *_key(lane),
        seq,
        now,
        lease,
    )
    if row is None:
        return None
    moved = convert(dict(row), Lane)
    if moved.seq < moved.wanted_to:
        return moved
    await connection.execute(
        "DELETE FROM webhook_lane"
        " WHERE tenant_id = $1 AND webhook_id = $2 AND lane = $3 AND fence = $4",
        *_key(lane),
    )
    return None


async def put_off(
    connection: Connection, lane: Lane, *, now: datetime, due_at: datetime, paused: bool
) -> bool:
    """The next event was not taken: try it again then, or not before somebody says so."""
    status = await connection.execute(
        """
        UPDATE webhook_lane
           SET attempts = attempts + 1, failing_since = coalesce(failing_since, $5), due_at = $6,
               leased_until = NULL, paused_at = CASE WHEN $7 THEN $5::timestamptz END
         WHERE tenant_id = $1 AND webhook_id = $2 AND lane = $3 AND fence = $4
        """,
        *_key(lane),
        now,
        due_at,
        paused,
    )
    return status == "UPDATE 1"


async def give_back(connection: Connection, lane: Lane) -> None:
    """End the lease before its time."""
    await connection.execute(
        """
        UPDATE webhook_lane SET leased_until = NULL
         WHERE tenant_id = $1 AND webhook_id = $2 AND lane = $3 AND fence = $4
        """,
        *_key(lane),
    )


async def hurry(connection: Connection, tenant_id: UUID, webhook_id: UUID, now: datetime) -> None:
    """The endpoint takes events again: whatever waits for it waits no longer."""
    await connection.execute(
        """
        UPDATE webhook_lane SET due_at = $3
         WHERE tenant_id = $1 AND webhook_id = $2 AND due_at > $3 AND paused_at IS NULL
        """,
        tenant_id,
        webhook_id,
        now,
    )


async def resume(connection: Connection, tenant_id: UUID, webhook_id: UUID, now: datetime) -> None:
    """Begin anew with all of them, as if nothing had failed."""
    await connection.execute(
        """
        UPDATE webhook_lane
           SET attempts = 0, failing_since = NULL, due_at = $3, paused_at = NULL
         WHERE tenant_id = $1 AND webhook_id = $2
        """,
        tenant_id,
        webhook_id,
        now,
    )


async def go_back(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, *, after: int, now: datetime
) -> None:
    """Tell again what follows this number. Nobody's lease holds any more."""
    await connection.execute(
        """
        UPDATE webhook_lane
           SET seq = least(seq, $3), attempts = 0, failing_since = NULL, due_at = $4,
               paused_at = NULL, leased_until = NULL, fence = fence + 1
         WHERE tenant_id = $1 AND webhook_id = $2
        """,
        tenant_id,
        webhook_id,
        after,
        now,
    )


async def stuck(
    connection: Connection, tenant_id: UUID, webhook_id: UUID, account_id: UUID | None
) -> list[Lane]:
    """Those whose next event was tried in vain; of this account only, where one is named."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM webhook_lane AS known
         WHERE tenant_id = $1 AND webhook_id = $2 AND attempts > 0
           AND ($3::uuid IS NULL OR account_id = $3)
         ORDER BY lane
           FOR UPDATE
        """,  # noqa: S608 - names of our own columns
        tenant_id,
        webhook_id,
        account_id,
    )
    return [convert(dict(row), Lane) for row in rows]


async def skip(
    connection: Connection,
    tenant_id: UUID,
    webhook_id: UUID,
    *,
    lanes: Sequence[UUID] | None,
    up_to: int,
    now: datetime,
) -> None:
    """Leave out all up to this number, in these lanes or in all. Nobody's lease holds any more."""
    await connection.execute(
        """
        UPDATE webhook_lane
           SET seq = greatest(seq, $4), attempts = 0, failing_since = NULL, due_at = $5,
               paused_at = NULL, leased_until = NULL, fence = fence + 1
         WHERE tenant_id = $1 AND webhook_id = $2 AND ($3::uuid[] IS NULL OR lane = ANY($3))
        """,
        tenant_id,
        webhook_id,
        lanes,
        up_to,
        now,
    )
    await connection.execute(
        "DELETE FROM webhook_lane WHERE tenant_id = $1 AND webhook_id = $2 AND seq >= wanted_to",
        tenant_id,
        webhook_id,
    )


async def waiting(
    connection: Connection,
    tenant_id: UUID,
    webhook_id: UUID,
    types: Sequence[str] | None,
    *,
    count_up_to: int,
) -> Waiting:
    """How much an endpoint is behind, as far as the caller may see it."""
    row = await connection.fetchrow(
        """
        WITH lanes AS (
            SELECT account_id, seq, wanted_to, attempts, due_at, paused_at
              FROM webhook_lane WHERE tenant_id = $1 AND webhook_id = $2
        ), events AS (
            SELECT logged_at
              FROM lanes
              JOIN event_log ON event_log.tenant_id = $1
               AND event_log.seq > lanes.seq AND event_log.seq <= lanes.wanted_to
               AND (event_log.account_id = lanes.account_id
                    OR (event_log.account_id IS NULL AND lanes.account_id IS NULL))
               AND ($3::text[] IS NULL OR type = ANY($3))
             LIMIT $4
        )
        SELECT (SELECT count(*) FROM lanes) AS accounts,
               (SELECT count(*) FROM lanes WHERE attempts > 0) AS failing,
               (SELECT count(*) FROM events) AS events,
               (SELECT min(logged_at) FROM events) AS oldest_at,
               (SELECT min(due_at) FROM lanes WHERE paused_at IS NULL) AS next_at
        """,
        tenant_id,
        webhook_id,
        types,
        count_up_to,
    )
    assert row is not None
    return convert(dict(row), Waiting)


async def lose(connection: Connection, tenant_id: UUID, *, before: datetime) -> list[Loss]:
    """Give up what is about to leave a tenant's log untold; returns how much of each lane.

    The webhooks are held first, as everybody does who writes lanes.
    """
    await connection.execute(
        "SELECT FROM webhook WHERE tenant_id = $1 ORDER BY webhook_id FOR UPDATE", tenant_id
    )
    rows = await connection.fetch(
        """
        WITH place AS (
            SELECT epoch, kept_from,
                   coalesce((SELECT seq - 1 FROM event_log
                              WHERE tenant_id = $1 AND seq >= kept_from AND logged_at >= $2
                              ORDER BY seq LIMIT 1), log_position.seq) AS last_old
              FROM log_position WHERE tenant_id = $1
        ), late AS (
            SELECT webhook_id, lane, account_id, seq, least(wanted_to, last_old) AS up_to
              FROM webhook_lane, place
             WHERE tenant_id = $1 AND seq < last_old
               FOR UPDATE OF webhook_lane
        ), lost AS (
            SELECT late.webhook_id, late.lane, late.account_id,
                   count(*) AS events, min(event_log.seq) AS first, max(event_log.seq) AS last
              FROM late
              JOIN webhook ON webhook.tenant_id = $1 AND webhook.webhook_id = late.webhook_id
              JOIN event_log ON event_log.tenant_id = $1
               AND event_log.seq > late.seq AND event_log.seq <= late.up_to
               AND (event_log.account_id = late.account_id
                    OR (event_log.account_id IS NULL AND late.account_id IS NULL))
               AND (types IS NULL OR type = ANY(types))
               AND (query IS NULL OR type = ANY($3))
             GROUP BY late.webhook_id, late.lane, late.account_id
        ), moved AS (
            UPDATE webhook_lane AS known
               SET seq = late.up_to, leased_until = NULL, fence = fence + 1
              FROM late
             WHERE known.tenant_id = $1 AND known.webhook_id = late.webhook_id
               AND known.lane = late.lane
        )
        SELECT $1::uuid AS tenant_id, webhook_id, account_id, events, first, last, epoch
          FROM lost, place
         ORDER BY webhook_id, first
        """,
        tenant_id,
        before,
        list(ASKABLE_TYPES),
    )
    await connection.execute(
        "DELETE FROM webhook_lane WHERE tenant_id = $1 AND seq >= wanted_to", tenant_id
    )
    return [convert(dict(row), Loss) for row in rows]


async def tenants_with_lanes(connection: Connection) -> list[UUID]:
    rows = await connection.fetch("SELECT DISTINCT tenant_id FROM webhook_lane ORDER BY 1")
    return [row["tenant_id"] for row in rows]


def _key(lane: Lane) -> tuple[UUID, UUID, UUID, int]:
    return lane.tenant_id, lane.webhook_id, lane.lane, lane.fence

"""How fast an account may send, and when its next message may go."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.sender.domain.pace import Lane
from shared.db import Connection


async def reserve(
    connection: Connection, wanted: Mapping[Lane, int], intervals: Sequence[timedelta]
) -> dict[Lane, datetime]:
    """Take the next so many moments of each lane; the first of them.

    One moment follows another by the lane's interval. They are taken in the order of the lanes'
    keys, so that two replicas do not wait for each other.
    """
    ordered = sorted(zip(wanted.items(), intervals, strict=True), key=lambda one: one[0][0].key)
    rows = await connection.fetch(
        """
        INSERT INTO pace AS known (tenant_id, account_id, domain, next_at)
        SELECT tenant_id, account_id, domain, now() + wanted * every
          FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::integer[], $5::interval[])
            AS asked (tenant_id, account_id, domain, wanted, every)
        ON CONFLICT (account_id, domain) DO UPDATE
           SET next_at = greatest(known.next_at, now())
                         + (excluded.next_at - now())
         WHERE known.tenant_id = excluded.tenant_id
        RETURNING account_id, domain, next_at
        """,
        [lane.tenant_id for (lane, _), _ in ordered],
        [lane.account_id for (lane, _), _ in ordered],
        [lane.domain for (lane, _), _ in ordered],
        [count for (_, count), _ in ordered],
        [every for _, every in ordered],
    )
    ends = {(row["account_id"], row["domain"]): row["next_at"] for row in rows}
    return {
        lane: ends[lane.account_id, lane.domain] - count * every for (lane, count), every in ordered
    }


async def give_slots(connection: Connection, slots: Mapping[UUID, datetime]) -> None:
    """These wait for the moments they were given."""
    await connection.execute(
        """
        UPDATE submission SET slot_at = given.slot_at, due_at = given.slot_at
          FROM unnest($1::uuid[], $2::timestamptz[]) AS given (submission_id, slot_at)
         WHERE submission.submission_id = given.submission_id
        """,
        list(slots),
        list(slots.values()),
    )


async def forget_paces(connection: Connection) -> None:
    """Forget lanes that nobody waits in."""
    await connection.execute("DELETE FROM pace WHERE next_at < now() - interval '1 hour'")

"""How many messages an account has places for in a day, and which message has one."""

from collections.abc import Collection
from datetime import date, timedelta
from uuid import UUID

from services.sender.domain.submission import Submission
from services.sender.domain.turns import Sender
from shared.db import Connection


async def take_days(
    connection: Connection, sender: Sender, count: int, *, per_day: int, today: date
) -> list[date]:
    """Take the next so many places, the nearest first: the day of each.

    The last day that somebody has a place on is the one to go on with: those before it are full.
    Its row is locked, so that two replicas do not take the same place.
    """
    day = await connection.fetchval(
        "SELECT max(day) FROM day_use WHERE tenant_id = $1 AND account_id = $2 AND day >= $3",
        sender.tenant_id,
        sender.account_id,
        today,
    )
    day = day or today
    taken: list[date] = []
    while len(taken) < count:
        got = await connection.fetchval(
            """
            INSERT INTO day_use AS known (tenant_id, account_id, day, messages)
            VALUES ($1, $2, $3, least($4::integer, $5::integer))
            ON CONFLICT (account_id, day) DO UPDATE
               SET messages = greatest(known.messages, least($5, known.messages + $4))
             WHERE known.tenant_id = excluded.tenant_id
            RETURNING WITH (OLD AS before, NEW AS after)
                      after.messages - coalesce(before.messages, 0)
            """,
            sender.tenant_id,
            sender.account_id,
            day,
            count - len(taken),
            per_day,
        )
        taken += [day] * got
        day += timedelta(days=1)
    return taken


async def put_days(connection: Connection, submissions: Collection[Submission]) -> None:
    """Remember on which day each of these has its place."""
    await connection.execute(
        """
        UPDATE submission SET day = given.day
          FROM unnest($1::uuid[], $2::date[]) AS given (submission_id, day)
         WHERE submission.submission_id = given.submission_id
        """,
        [one.submission_id for one in submissions],
        [one.day for one in submissions],
    )


async def give_back_days(
    connection: Connection, tenant_id: UUID, account_id: UUID, *, after: date
) -> None:
    """Nobody has a place on a day to come: those that wait for one are due, to be given another."""
    await connection.execute(
        "DELETE FROM day_use WHERE tenant_id = $1 AND account_id = $2 AND day > $3",
        tenant_id,
        account_id,
        after,
    )
    await connection.execute(
        """
        UPDATE submission SET day = NULL, due_at = CASE WHEN reason = $4 THEN now() ELSE due_at END
         WHERE tenant_id = $1 AND account_id = $2 AND stage = 'waiting' AND day > $3
           AND due_at IS NOT NULL
        """,
        tenant_id,
        account_id,
        after,
        "daily_limit",
    )


async def forget_days(connection: Connection, *, before: date) -> None:
    """Forget what was sent on days that are over."""
    await connection.execute("DELETE FROM day_use WHERE day < $1", before)

"""Servers that are left alone for a while, by every replica and every account that uses them."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from shared.db import Connection


class HostRest(Struct, frozen=True, kw_only=True):
    """A server that rests, or is about to be tried again."""

    failures: int  # in a row
    rests_until: datetime
    over: bool  # the pause, but nobody has found the server well yet


class HostWait(Struct, frozen=True, kw_only=True):
    """A server that is to be left alone for now."""

    until: datetime
    reason: str  # stable code


async def rests(connection: Connection, host: str, port: int) -> HostRest | None:
    """How a server rests, kept to this transaction; None when nothing is wrong with it."""
    row = await connection.fetchrow(
        """
        SELECT failures, rests_until, rests_until <= now() AS over FROM host_rest
         WHERE host = $1 AND port = $2 FOR UPDATE
        """,
        host,
        port,
    )
    if row is None:
        return None
    return HostRest(failures=row["failures"], rests_until=row["rests_until"], over=row["over"])


async def note_trouble(
    connection: Connection, host: str, port: int, *, reason: str, pause_seconds: float
) -> None:
    """The server rests for so long from now, and no less than it did.

    A thousand accounts find the same trouble at the same time: it counts once a pause.
    """
    await connection.execute(
        """
        INSERT INTO host_rest AS known (host, port, rests_until, failures, reason)
        VALUES ($1, $2, now() + make_interval(secs => $4), 1, $3)
        ON CONFLICT (host, port) DO UPDATE
           SET rests_until = greatest(known.rests_until, excluded.rests_until),
               failures = known.failures + CASE WHEN known.rests_until <= now() THEN 1 ELSE 0 END,
               reason = excluded.reason, tried_by = NULL, tried_until = NULL
        """,
        host,
        port,
        reason,
        pause_seconds,
    )


async def note_success(connection: Connection, host: str, port: int) -> None:
    """The server is well: everybody may call it."""
    await connection.execute("DELETE FROM host_rest WHERE host = $1 AND port = $2", host, port)


async def waits(
    connection: Connection, host: str, port: int, account_id: UUID, *, try_seconds: float
) -> HostWait | None:
    """Whether this account leaves the server alone for now; None: call it.

    When a pause is over one account goes first, and the others come back a little later to hear
    what it found; should it not be heard of for `try_seconds`, another may go.
    """
    if not await connection.fetchval(
        "SELECT true FROM host_rest WHERE host = $1 AND port = $2", host, port
    ):
        return None
    row = await connection.fetchrow(
        """
        WITH first AS (
            UPDATE host_rest
               SET tried_by = $3, tried_until = now() + make_interval(secs => $4)
             WHERE host = $1 AND port = $2 AND rests_until <= now()
               AND (tried_by IS NULL OR tried_by = $3 OR tried_until <= now())
            RETURNING true)
        SELECT CASE WHEN rests_until > now() THEN rests_until
                    ELSE least(tried_until, now() + interval '5 seconds') END AS until, reason
          FROM host_rest
         WHERE host = $1 AND port = $2 AND NOT EXISTS (SELECT 1 FROM first)
        """,
        host,
        port,
        account_id,
        try_seconds,
    )
    return HostWait(until=row["until"], reason=row["reason"]) if row is not None else None


async def resting(connection: Connection, host: str, port: int) -> HostWait | None:
    """Until when the server is left alone by everybody, and why; for those who ask."""
    row = await connection.fetchrow(
        """
        SELECT rests_until, reason FROM host_rest
         WHERE host = $1 AND port = $2 AND rests_until > now()
        """,
        host,
        port,
    )
    return HostWait(until=row["rests_until"], reason=row["reason"]) if row is not None else None


async def forget_old(connection: Connection, days: int) -> None:
    """Servers nobody has called since go."""
    await connection.execute(
        "DELETE FROM host_rest WHERE rests_until < now() - make_interval(days => $1)", days
    )

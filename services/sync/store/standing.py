"""How accounts stand: paused, looked for, resting, and what they used today."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from services.sync.domain.budget import Used
from shared.contracts.account import AccountState
from shared.db import Connection

# --- What the owner wants -----------------------------------------------------------------------


async def pause(connection: Connection, account_id: UUID, tenant_id: UUID, version: int) -> bool:
    """Leave the account's server alone; False when a newer word, or a removal, came before."""
    return await _switch(connection, account_id, tenant_id, version, paused=True)


async def resume(connection: Connection, account_id: UUID, tenant_id: UUID, version: int) -> bool:
    """Go on with the account; False when a newer word, or a removal, came before."""
    return await _switch(connection, account_id, tenant_id, version, paused=False)


async def _switch(
    connection: Connection, account_id: UUID, tenant_id: UUID, version: int, *, paused: bool
) -> bool:
    switched = await connection.fetchval(
        """
        UPDATE account
           SET paused_at = CASE WHEN $4 THEN coalesce(paused_at, now()) END, pause_version = $3
         WHERE account_id = $1 AND tenant_id = $2 AND pause_version < $3 AND removed_at IS NULL
        RETURNING true
        """,
        account_id,
        tenant_id,
        version,
        paused,
    )
    return bool(switched)


async def is_known(connection: Connection, account_id: UUID, tenant_id: UUID) -> bool:
    """Whether the account was ever connected, removed or not."""
    return bool(
        await connection.fetchval(
            "SELECT true FROM account WHERE account_id = $1 AND tenant_id = $2",
            account_id,
            tenant_id,
        )
    )


async def is_paused(connection: Connection, account_id: UUID) -> bool:
    """Whether the account's server is to be left alone."""
    return bool(
        await connection.fetchval(
            "SELECT paused_at IS NOT NULL FROM account WHERE account_id = $1", account_id
        )
    )


async def ask_check(connection: Connection, account_id: UUID, tenant_id: UUID) -> bool:
    """Somebody wants a look at the server now; False for an account that is not there."""
    asked = await connection.fetchval(
        """
        UPDATE account SET check_asked_at = clock_timestamp()
         WHERE account_id = $1 AND tenant_id = $2 AND removed_at IS NULL
        RETURNING true
        """,
        account_id,
        tenant_id,
    )
    return bool(asked)


async def check_asked_since(connection: Connection, account_id: UUID, since: datetime) -> bool:
    """Whether a look was asked for after this moment."""
    return bool(
        await connection.fetchval(
            "SELECT true FROM account WHERE account_id = $1 AND check_asked_at > $2",
            account_id,
            since,
        )
    )


async def checks_asked(connection: Connection, replica_id: UUID) -> dict[UUID, datetime]:
    """The accounts of this replica that somebody wants looked at, and since when."""
    rows = await connection.fetch(
        """
        SELECT account_id, check_asked_at FROM lease JOIN account USING (account_id)
         WHERE lease.replica_id = $1 AND check_asked_at IS NOT NULL AND removed_at IS NULL
           AND check_asked_at > now() - interval '1 hour'
        """,
        replica_id,
    )
    return {row["account_id"]: row["check_asked_at"] for row in rows}


# --- What an account waits for --------------------------------------------------------------------


class Rest(Struct, frozen=True, kw_only=True):
    """An account waits before it signs in again, and what its server taught us."""

    until: datetime | None = None  # None: it does not wait
    reason: str | None = None
    asked_by_server: bool = False
    failures: int = 0  # in a row
    connections_learnt: int | None = None


async def rest_of(connection: Connection, account_id: UUID, version: int) -> Rest:
    """What the account waits for under these settings; other settings wait for nothing.

    Nor does it wait for a pause of our own making, when somebody has asked for a look since: what
    the server asked for, nobody goes before.
    """
    row = await connection.fetchrow(
        """
        SELECT CASE WHEN rests_until > now()
                     AND (asked_by_server OR check_asked_at IS NULL OR check_asked_at <= rested_at)
                    THEN rests_until END AS rests_until,
               reason, asked_by_server, failures,
               CASE WHEN learnt_at > now() - interval '1 day' THEN connections_learnt END
                 AS connections_learnt
          FROM account_rest JOIN account USING (account_id)
         WHERE account_id = $1 AND settings_version = $2
        """,
        account_id,
        version,
    )
    return _rest(row) if row is not None else Rest()


def _rest(row: asyncpg.Record) -> Rest:
    waits = row["rests_until"] is not None
    return Rest(
        until=row["rests_until"],
        reason=row["reason"] if waits else None,
        asked_by_server=waits and row["asked_by_server"],
        failures=row["failures"],
        connections_learnt=row["connections_learnt"],
    )


async def put_rest(
    connection: Connection,
    account_id: UUID,
    tenant_id: UUID,
    version: int,
    *,
    seconds: float,
    reason: str,
    asked_by_server: bool,
    failures: int,
) -> None:
    """The account waits for so long from now: every replica that takes it over does, too."""
    await connection.execute(
        """
        INSERT INTO account_rest AS known
               (account_id, tenant_id, settings_version, rested_at, rests_until, reason,
                asked_by_server, failures)
        SELECT $1, $2, $3, clock_timestamp(), now() + make_interval(secs => $4), $5, $6, $7
          FROM account WHERE account_id = $1 AND removed_at IS NULL
        ON CONFLICT (account_id) DO UPDATE
           SET settings_version = excluded.settings_version, rested_at = excluded.rested_at,
               rests_until = excluded.rests_until,
               reason = excluded.reason, asked_by_server = excluded.asked_by_server,
               failures = excluded.failures,
               connections_learnt = CASE
                   WHEN known.settings_version = excluded.settings_version
                   THEN known.connections_learnt END
         WHERE known.settings_version <= excluded.settings_version
        """,
        account_id,
        tenant_id,
        version,
        seconds,
        reason,
        asked_by_server,
        failures,
    )


async def end_rest(connection: Connection, account_id: UUID) -> None:
    """The account is signed in and well; what was learnt of its server stays."""
    await connection.execute(
        """
        UPDATE account_rest
           SET rests_until = NULL, reason = NULL, asked_by_server = false, failures = 0
         WHERE account_id = $1 AND (rests_until IS NOT NULL OR failures > 0)
        """,
        account_id,
    )


# --- What an account used -------------------------------------------------------------------------


async def note_use(
    connection: Connection, account_id: UUID, tenant_id: UUID, *, bytes: int, commands: int
) -> Used:
    """Add to what the account used today (UTC); all that it used today."""
    row = await connection.fetchrow(
        """
        INSERT INTO account_use AS known (account_id, day, tenant_id, bytes, commands)
        SELECT $1, (now() AT TIME ZONE 'UTC')::date, $2, $3, $4
          FROM account WHERE account_id = $1 AND removed_at IS NULL
        ON CONFLICT (account_id, day) DO UPDATE
           SET bytes = known.bytes + excluded.bytes, commands = known.commands + excluded.commands
        RETURNING bytes, commands
        """,
        account_id,
        tenant_id,
        bytes,
        commands,
    )
    return _used(row)


async def used_today(connection: Connection, account_id: UUID) -> Used:
    """What the account used since midnight UTC."""
    return _used(
        await connection.fetchrow(
            """
            SELECT bytes, commands FROM account_use
             WHERE account_id = $1 AND day = (now() AT TIME ZONE 'UTC')::date
            """,
            account_id,
        )
    )


def _used(row: asyncpg.Record | None) -> Used:
    return Used() if row is None else Used(bytes=row["bytes"], commands=row["commands"])


async def forget_old_use(connection: Connection, days: int) -> None:
    """What was used so long ago is of no interest."""
    await connection.execute(
        "DELETE FROM account_use WHERE day < (now() AT TIME ZONE 'UTC')::date - $1::int", days
    )


# --- For those who ask ----------------------------------------------------------------------------


class Stands(Struct, frozen=True, kw_only=True):
    """An account's state, its server, and whether it is paused."""

    state: AccountState
    reason: str | None
    server_said: str | None
    changed_at: datetime
    version: int
    host: str
    port: int
    paused: bool
    check_asked_at: datetime | None


async def stands(connection: Connection, tenant_id: UUID, account_id: UUID) -> Stands | None:
    """How an account stands, if the caller may see it."""
    row = await connection.fetchrow(
        """
        SELECT state, reason, server_said, changed_at, version, host, port,
               paused_at IS NOT NULL AS paused, check_asked_at
          FROM account JOIN account_state USING (tenant_id, account_id)
         WHERE tenant_id = $1 AND account_id = $2 AND removed_at IS NULL
        """,
        tenant_id,
        account_id,
    )
    if row is None:
        return None
    return Stands(
        state=AccountState(row["state"]),
        reason=row["reason"],
        server_said=row["server_said"],
        changed_at=row["changed_at"],
        version=row["version"],
        host=row["host"],
        port=row["port"],
        paused=row["paused"],
        check_asked_at=row["check_asked_at"],
    )

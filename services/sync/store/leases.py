"""Who works on which account. A lease is held by a replica under a fencing number."""

from uuid import UUID

from msgspec import Struct

from shared.db import Connection

_END_MILLISECONDS = 1000  # to wait for one session to end, so that its locks are gone


class Lease(Struct, frozen=True, kw_only=True):
    """The right to write for an account, as long as nobody else was given it."""

    account_id: UUID
    tenant_id: UUID
    replica_id: UUID
    fence: int
    version: int  # of the account's settings when it was taken
    own_profile_version: int = 0  # the same of what is said of its servers


class LeaseLost(Exception):
    """Another replica works on this account now, or it was removed."""


async def beat(connection: Connection, replica_id: UUID) -> None:
    """Say that this replica lives."""
    await connection.execute(
        """
        INSERT INTO replica (replica_id) VALUES ($1)
        ON CONFLICT (replica_id) DO UPDATE SET seen_at = now()
        """,
        replica_id,
    )


def session_name(role: str, replica_id: UUID) -> str:
    """What the database knows a replica's sessions by: a takeover ends those of a dead one."""
    return f"sync {role} {replica_id}"


async def bury_silent(connection: Connection, silent_seconds: float) -> int:
    """Forget replicas that have not been heard of; their accounts are free. How many there were.

    A process that hangs, or a machine that is gone, may have left transactions open, and with them
    locks on leases, on the outbox, on anything: its sessions are ended before it is forgotten, so
    that who comes after us does it again if we end in between. A role may end sessions of its own.
    """
    await connection.execute(
        """
        SELECT pg_terminate_backend(pid, $2)
          FROM replica
          JOIN pg_stat_activity ON application_name LIKE 'sync % ' || replica_id::text
         WHERE seen_at < now() - make_interval(secs => $1)
           AND usename = current_user AND pid <> pg_backend_pid()
        """,
        silent_seconds,
        _END_MILLISECONDS,
    )
    buried = await connection.execute(
        "DELETE FROM replica WHERE seen_at < now() - make_interval(secs => $1)", silent_seconds
    )
    return int(buried.rpartition(" ")[2])


async def share(connection: Connection, replica_id: UUID) -> int:
    """How many accounts this replica is to keep; paused ones are kept by nobody.

    All shares add up to all accounts, the remainder going to the eldest: nobody keeps what another
    is to have, and nothing moves until an account or a replica comes or goes.
    """
    found = await connection.fetchval(
        """
        SELECT wanted / replicas + CASE WHEN place <= wanted % replicas THEN 1 ELSE 0 END
          FROM (SELECT replica_id, row_number() OVER (ORDER BY started_at, replica_id) AS place,
                       count(*) OVER () AS replicas
                  FROM replica WHERE role = 'listen') AS living,
               (SELECT count(*) AS wanted FROM account
                 WHERE removed_at IS NULL AND paused_at IS NULL) AS accounts
         WHERE replica_id = $1
        """,
        replica_id,
    )
    return found or 0


async def claim(connection: Connection, replica_id: UUID, at_most: int) -> int:
    """Take accounts that nobody living works on; how many.

    SKIP LOCKED: a writer of the old holder has the lease FOR SHARE until it commits.
    """
    claimed = await connection.execute(
        """
        UPDATE lease SET replica_id = $1, fence = fence + 1
         WHERE account_id = ANY (ARRAY(
                SELECT account_id FROM lease
                  JOIN account USING (account_id)
                 WHERE account.removed_at IS NULL AND account.paused_at IS NULL
                   AND (lease.replica_id IS NULL
                        OR NOT EXISTS (SELECT 1 FROM replica
                                        WHERE replica.replica_id = lease.replica_id))
                 ORDER BY account.connected_at DESC
                 LIMIT $2 FOR UPDATE OF lease SKIP LOCKED))
        """,
        replica_id,
        at_most,
    )
    return int(claimed.rpartition(" ")[2])


async def held(connection: Connection, replica_id: UUID) -> list[Lease]:
    """Every lease this replica holds and is to work on: not those of paused accounts."""
    rows = await connection.fetch(
        """
        SELECT account_id, lease.tenant_id, fence, version, own_profile_version FROM lease
          JOIN account USING (account_id)
         WHERE lease.replica_id = $1 AND account.removed_at IS NULL AND account.paused_at IS NULL
        """,
        replica_id,
    )
    return [
        Lease(
            account_id=row["account_id"],
            tenant_id=row["tenant_id"],
            replica_id=replica_id,
            fence=row["fence"],
            version=row["version"],
            own_profile_version=row["own_profile_version"],
        )
        for row in rows
    ]


async def release(connection: Connection, lease: Lease) -> None:
    """Let others take the account."""
    await connection.execute(
        """
        UPDATE lease SET replica_id = NULL, fence = fence + 1
         WHERE account_id = $1 AND replica_id = $2 AND fence = $3
        """,
        lease.account_id,
        lease.replica_id,
        lease.fence,
    )


async def retire(connection: Connection, replica_id: UUID) -> None:
    """This replica ends: its accounts are free at once."""
    await connection.execute(
        "UPDATE lease SET replica_id = NULL, fence = fence + 1 WHERE replica_id = $1", replica_id
    )
    await connection.execute("DELETE FROM replica WHERE replica_id = $1", replica_id)


async def hold(connection: Connection, lease: Lease) -> None:
    """The first statement of every write: a stale owner fails here, a takeover waits for it."""
    mine = await connection.fetchval(
        """
        SELECT 1 FROM lease
         WHERE account_id = $1 AND replica_id = $2 AND fence = $3 FOR SHARE
        """,
        lease.account_id,
        lease.replica_id,
        lease.fence,
    )
    if mine is None:
        raise LeaseLost(str(lease.account_id))

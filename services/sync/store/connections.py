"""Connection slots: each open connection to a mail server is a row, so that replicas and roles
together stay under what a server allows one account.

Slot 1 is kept for the `answer` role, so that a message can be opened while a first copy uses all
the others; where a server allows one connection only, all share it in turn. Who files a copy of a
sent message is soon done, and takes any. What a dead replica held is free: it is taken over by
whoever claims it next.
"""

from collections.abc import Sequence
from uuid import UUID

from msgspec import Struct

from shared.db import Connection

LISTEN = "listen"
ANSWER = "answer"
FILING = "filing"


class Slot(Struct, frozen=True, kw_only=True):
    """The right to have one connection open."""

    account_id: UUID
    number: int
    replica_id: UUID


async def claim_slot(
    connection: Connection,
    account_id: UUID,
    tenant_id: UUID,
    role: str,
    limit: int,
    replica_id: UUID,
) -> Slot | None:
    """Take a free slot of so many; None when all that this role may have are taken."""
    numbers = _numbers(role, limit)
    # Two who choose the same slot at once: one of them finds it taken, and looks for the next.
    for _ in numbers:
        chosen = await connection.fetchrow(
            """
            WITH chosen AS (
                SELECT slot.number FROM unnest($3::int[]) WITH ORDINALITY AS slot (number, n)
                 WHERE NOT EXISTS (SELECT 1 FROM connection_slot AS taken
                                    WHERE taken.account_id = $1 AND taken.number = slot.number
                                      AND EXISTS (SELECT 1 FROM replica
                                                   WHERE replica.replica_id = taken.replica_id))
                 ORDER BY slot.n LIMIT 1),
            claimed AS (
                INSERT INTO connection_slot AS known (account_id, number, tenant_id, role,
                                                      replica_id)
                SELECT $1, number, $2, $4, $5 FROM chosen
                ON CONFLICT (account_id, number) DO UPDATE
                   SET role = excluded.role, replica_id = excluded.replica_id, claimed_at = now()
                 WHERE NOT EXISTS (SELECT 1 FROM replica
                                    WHERE replica.replica_id = known.replica_id)
                RETURNING number)
            SELECT chosen.number, claimed.number IS NOT NULL AS ours
              FROM chosen LEFT JOIN claimed ON true
            """,
            account_id,
            tenant_id,
            numbers,
            role,
            replica_id,
        )
        if chosen is None:
            return None
        if chosen["ours"]:
            return Slot(account_id=account_id, number=chosen["number"], replica_id=replica_id)
    return None


def _numbers(role: str, limit: int) -> list[int]:
    """The slots this role may have, those it takes first in front."""
    if role == ANSWER or limit <= 1:
        return [1]
    if role == FILING:
        return list(range(limit, 0, -1))
    return list(range(2, limit + 1))


async def release_slot(connection: Connection, slot: Slot) -> None:
    """The connection is closed."""
    await connection.execute(
        """
        DELETE FROM connection_slot
         WHERE account_id = $1 AND number = $2 AND replica_id = $3
        """,
        slot.account_id,
        slot.number,
        slot.replica_id,
    )


async def release_own(
    connection: Connection, account_ids: Sequence[UUID], role: str, replica_id: UUID
) -> None:
    """This replica has no connection of these accounts in this role, whatever is written here."""
    await connection.execute(
        """
        DELETE FROM connection_slot WHERE account_id = ANY($1) AND role = $2 AND replica_id = $3
        """,
        list(account_ids),
        role,
        replica_id,
    )


async def release_all(connection: Connection, replica_id: UUID) -> None:
    """This replica ends: all of its connections are closed."""
    await connection.execute("DELETE FROM connection_slot WHERE replica_id = $1", replica_id)


async def beat_answering(connection: Connection, replica_id: UUID) -> None:
    """Say that this replica of the answer role lives, and so do the connections it holds."""
    await connection.execute(
        """
        INSERT INTO replica (replica_id, role) VALUES ($1, 'answer')
        ON CONFLICT (replica_id) DO UPDATE SET seen_at = now()
        """,
        replica_id,
    )


async def learn(connection: Connection, refused: Slot, tenant_id: UUID, version: int) -> None:
    """The server refused this connection while the others were open: so many it allows.

    For a day nobody tries one more; then the owner's other devices may have hung up.
    """
    await connection.execute(
        """
        INSERT INTO account_rest AS known
               (account_id, tenant_id, settings_version, connections_learnt, learnt_at)
        SELECT $1, $2, $3, greatest(1, count(*)), now() FROM connection_slot
         WHERE account_id = $1 AND number <> $4
           AND EXISTS (SELECT 1 FROM replica
                        WHERE replica.replica_id = connection_slot.replica_id)
        ON CONFLICT (account_id) DO UPDATE
           SET connections_learnt = CASE
                   WHEN known.settings_version = excluded.settings_version
                        AND known.learnt_at > now() - interval '1 day'
                   THEN least(known.connections_learnt, excluded.connections_learnt)
                   ELSE excluded.connections_learnt END,
               learnt_at = now(),
               rests_until = CASE
                   WHEN known.settings_version = excluded.settings_version
                   THEN known.rests_until END,
               settings_version = excluded.settings_version
         WHERE known.settings_version <= excluded.settings_version
        """,
        refused.account_id,
        tenant_id,
        version,
        refused.number,
    )


async def open_now(connection: Connection, account_id: UUID) -> int:
    """How many connections the account has open."""
    return await connection.fetchval(
        """
        SELECT count(*) FROM connection_slot
         WHERE account_id = $1
           AND EXISTS (SELECT 1 FROM replica
                        WHERE replica.replica_id = connection_slot.replica_id)
        """,
        account_id,
    )

"""Wishes for threads made anew, and how far each came."""

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from services.sync.store.leases import Lease
from shared.db import Connection


class Stage(StrEnum):
    """How far an account's threads are."""

    GATHERING = "gathering"  # names, into a generation that nobody uses yet
    PUTTING = "putting"  # messages where the names say that are in use now
    FORGETTING = "forgetting"  # names that are not in use any more


class Rethreading(Struct, frozen=True, kw_only=True):
    """One account whose threads are made anew."""

    lease: Lease
    generation: int
    stage: Stage
    done_up_to: UUID | None
    forgotten_up_to: bytes | None


class Kept(Struct, frozen=True, kw_only=True):
    """What of a message says where it belongs."""

    message_id: UUID
    conversation: str | None
    content: bytes  # packed


async def ask(connection: Connection, account_id: UUID | None) -> int:
    """Let the threads of an account, or of all, be made anew; of how many.

    Where that is being done already it begins again.
    """
    asked = await connection.execute(
        """
        INSERT INTO rethreading AS known (account_id, tenant_id, generation)
        SELECT account_id, account.tenant_id, clock.thread_generation + 1
          FROM account JOIN clock USING (account_id)
         WHERE removed_at IS NULL AND ($1::uuid IS NULL OR account_id = $1)
         ORDER BY account_id
        ON CONFLICT (account_id) DO UPDATE
           SET generation = greatest(known.generation + 1, excluded.generation),
               stage = excluded.stage, done_up_to = NULL, forgotten_up_to = NULL, asked_at = now()
        """,
        account_id,
    )
    return int(asked.rpartition(" ")[2])


async def next_one(connection: Connection, replica_id: UUID) -> Rethreading | None:
    """The eldest wish for an account that this replica works on; paused ones wait."""
    row = await connection.fetchrow(
        """
        SELECT account_id, lease.tenant_id, fence, version, generation, stage, done_up_to,
               forgotten_up_to
          FROM rethreading JOIN lease USING (account_id) JOIN account USING (account_id)
         WHERE lease.replica_id = $1 AND account.removed_at IS NULL AND account.paused_at IS NULL
         ORDER BY asked_at, account_id LIMIT 1
        """,
        replica_id,
    )
    if row is None:
        return None
    return Rethreading(
        lease=Lease(
            account_id=row["account_id"],
            tenant_id=row["tenant_id"],
            replica_id=replica_id,
            fence=row["fence"],
            version=row["version"],
        ),
        generation=row["generation"],
        stage=Stage(row["stage"]),
        done_up_to=row["done_up_to"],
        forgotten_up_to=row["forgotten_up_to"],
    )


async def hold(connection: Connection, known: Rethreading) -> bool:
    """Whether it is still as far as this; if so it stays there until the transaction ends."""
    return bool(
        await connection.fetchval(
            """
            SELECT true FROM rethreading
             WHERE account_id = $1 AND generation = $2 AND stage = $3
               AND done_up_to IS NOT DISTINCT FROM $4 AND forgotten_up_to IS NOT DISTINCT FROM $5
               FOR UPDATE
            """,
            known.lease.account_id,
            known.generation,
            known.stage.value,
            known.done_up_to,
            known.forgotten_up_to,
        )
    )


async def advance(connection: Connection, known: Rethreading, done_up_to: UUID) -> None:
    """All messages up to this one are done."""
    await connection.execute(
        "UPDATE rethreading SET done_up_to = $2 WHERE account_id = $1",
        known.lease.account_id,
        done_up_to,
    )


async def enter(connection: Connection, known: Rethreading, stage: Stage) -> None:
    """Begin with the next stage."""
    await connection.execute(
        "UPDATE rethreading SET stage = $2, done_up_to = NULL WHERE account_id = $1",
        known.lease.account_id,
        stage.value,
    )


async def use(connection: Connection, known: Rethreading) -> None:
    """From now on the new names are in use. The account's revision is held by the caller."""
    await connection.execute(
        "UPDATE clock SET thread_generation = $2 WHERE account_id = $1",
        known.lease.account_id,
        known.generation,
    )


async def kept_after(
    connection: Connection, account_id: UUID, after: UUID | None, limit: int
) -> list[Kept]:
    """The account's messages in the order of their ids, from after this one."""
    rows = await connection.fetch(
        """
        SELECT message_id, conversation, content
          FROM message JOIN message_content USING (message_id)
         WHERE message.account_id = $1 AND message_id > $2
         ORDER BY message_id LIMIT $3
        """,
        account_id,
        after or UUID(int=0),
        limit,
    )
    return [
        Kept(message_id=row["message_id"], conversation=row["conversation"], content=row["content"])
        for row in rows
    ]


async def threads_of(
    connection: Connection, account_id: UUID, message_ids: Sequence[UUID]
) -> dict[UUID, UUID]:
    """The threads that these messages are in; those that are gone are in none."""
    rows = await connection.fetch(
        "SELECT message_id, thread_id FROM message WHERE account_id = $1 AND message_id = ANY($2)",
        account_id,
        list(message_ids),
    )
    return {row["message_id"]: row["thread_id"] for row in rows}


async def forget_names(connection: Connection, known: Rethreading, at_most: int) -> bool:
    """Look at so many names and delete those of other generations; False after the last.

    Walked in their order, so that no name is passed twice.
    """
    rows = await connection.fetch(
        """
        SELECT name_digest, generation FROM thread_name
         WHERE account_id = $1 AND name_digest > $2 ORDER BY name_digest LIMIT $3
        """,
        known.lease.account_id,
        known.forgotten_up_to or b"",
        at_most,
    )
    if not rows:
        await connection.execute(
            "DELETE FROM rethreading WHERE account_id = $1", known.lease.account_id
        )
        return False
    await connection.execute(
        "DELETE FROM thread_name WHERE account_id = $1 AND name_digest = ANY($2)",
        known.lease.account_id,
        [row["name_digest"] for row in rows if row["generation"] != known.generation],
    )
    await connection.execute(
        "UPDATE rethreading SET forgotten_up_to = $2 WHERE account_id = $1",
        known.lease.account_id,
        rows[-1]["name_digest"],
    )
    return True

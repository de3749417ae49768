"""What is being told again, and how far."""

from uuid import UUID

from msgspec import Struct

from shared.contracts.account import RetellAccount
from shared.db import Connection


class Retelling(Struct, frozen=True, kw_only=True):
    """One account's retelling for one listener."""

    account_id: UUID
    tenant_id: UUID
    listener: str
    generation: UUID
    as_of_revision: int
    next_page: int
    told_up_to: UUID | None


async def ask(connection: Connection, command: RetellAccount) -> int:
    """Begin to tell an account, or all, again; the newest generation counts. How many began."""
    begun = await connection.execute(
        """
        INSERT INTO retelling AS known (account_id, listener, generation, tenant_id, as_of_revision)
        SELECT account_id, $1, $2, tenant_id, clock.revision
          FROM clock
         WHERE $3::uuid IS NULL OR account_id = $3
        ON CONFLICT (account_id, listener) DO UPDATE
           SET generation = excluded.generation, as_of_revision = excluded.as_of_revision,
               next_page = 0, told_up_to = NULL, asked_at = now()
         WHERE known.generation < excluded.generation
        """,
        command.listener,
        command.generation,
        command.account_id,
    )
    return int(begun.rpartition(" ")[2])


async def next_one(connection: Connection) -> Retelling | None:
    """A retelling nobody else works on, kept to this transaction."""
    row = await connection.fetchrow(
        """
        SELECT account_id, tenant_id, listener, generation, as_of_revision, next_page, told_up_to
          FROM retelling ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    if row is None:
        return None
    return Retelling(
        account_id=row["account_id"],
        tenant_id=row["tenant_id"],
        listener=row["listener"],
        generation=row["generation"],
        as_of_revision=row["as_of_revision"],
        next_page=row["next_page"],
        told_up_to=row["told_up_to"],
    )


async def advance(
    connection: Connection, retelling: Retelling, next_page: int, told_up_to: UUID | None
) -> None:
    """So many pages are in the stream."""
    await connection.execute(
        """
        UPDATE retelling SET next_page = $4, told_up_to = $5
         WHERE account_id = $1 AND listener = $2 AND generation = $3
        """,
        retelling.account_id,
        retelling.listener,
        retelling.generation,
        next_page,
        told_up_to,
    )


async def end(connection: Connection, retelling: Retelling) -> None:
    """All of it is in the stream."""
    await connection.execute(
        "DELETE FROM retelling WHERE account_id = $1 AND listener = $2 AND generation = $3",
        retelling.account_id,
        retelling.listener,
        retelling.generation,
    )

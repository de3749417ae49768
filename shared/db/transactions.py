"""Transactions: on behalf of a caller, and done again where PostgreSQL asks for it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg

from shared.contracts.envelope import Caller, encode
from shared.db.pool import Connection, Pool

T = TypeVar("T")

_TRIES = 10


@asynccontextmanager
async def tenant_transaction(pool: Pool, caller: Caller) -> AsyncGenerator[Connection]:
    """The only way to a request connection: a transaction that sees what this caller may see.

    Row-level security reads `postbus.tenant`, `postbus.accounts` and `postbus.person`; they end
    with the transaction. No accounts means no rows of accounts. `postbus.actor` is for rows that
    say who wrote them.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            SELECT set_config('postbus.tenant', $1, true),
                   set_config('postbus.accounts', $2, true),
                   set_config('postbus.person', $3, true),
                   set_config('postbus.actor', $4, true)
            """,
            str(caller.tenant_id),
            "{" + ",".join(str(account_id) for account_id in caller.account_ids) + "}",
            str(caller.person_id or ""),
            actor_of(caller),
        )
        yield connection


@asynccontextmanager
async def tenant_reading(pool: Pool, caller: Caller) -> AsyncGenerator[Connection]:
    """As `tenant_transaction`, for those who only read: with one question less.

    PostgreSQL refuses whatever would write in here; a transaction within this one cannot be.
    """
    accounts = ",".join(str(account_id) for account_id in caller.account_ids)
    async with pool.acquire() as connection:
        # Both are made of UUIDs alone, so they need no quoting.
        await connection.execute(
            f"""
            BEGIN READ ONLY;
            SELECT set_config('postbus.tenant', '{caller.tenant_id}', true),
                   set_config('postbus.accounts', '{{{accounts}}}', true),
                   set_config('postbus.person', '{caller.person_id or ""}', true)
            """
        )
        try:
            yield connection
        except BaseException:
            if not connection.is_closed():
                await connection.execute("ROLLBACK")
            raise
        await connection.execute("COMMIT")


@dataclass(frozen=True, slots=True)
class TenantReader:
    """Asks single questions that see what a caller may see, each in one step."""

    pool: Pool
    caller: Caller

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """What a query finds. It says `caller.tenant_id`, and its own arguments begin with $4.

        Since it needs that tenant, PostgreSQL sets whose rows may be seen before it looks for any;
        a query that did not would find none. `OFFSET 0` keeps the query apart: merely joined with
        who asks, it could as well be begun first. The settings end with the statement.
        """
        return await self.pool.fetch(
            f"""
            WITH caller AS MATERIALIZED (
                SELECT set_config('postbus.tenant', $1, true)::uuid AS tenant_id,
                       set_config('postbus.accounts', $2, true) AS accounts,
                       set_config('postbus.person', $3, true) AS person)
            SELECT found.* FROM caller CROSS JOIN LATERAL (
                SELECT * FROM ({query}) AS asked OFFSET 0) AS found
            """,  # noqa: S608 - queries are text of ours
            str(self.caller.tenant_id),
            "{" + ",".join(str(account_id) for account_id in self.caller.account_ids) + "}",
            str(self.caller.person_id or ""),
            *arguments,
        )


def actor_of(caller: Caller) -> str:
    """Who writes, as rows that say so have it (JSON); empty where it is nobody."""
    if caller.person_id is None:
        return ""
    said = {"person": caller.person_id, "token": caller.token_id, "request": caller.request_id}
    return encode({name: value for name, value in said.items() if value is not None}).decode()


async def in_transaction(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do this work in one transaction; begin anew where two transactions met (40001, 40P01)."""
    tries = 0
    while True:
        tries += 1
        try:
            async with pool.acquire() as connection, connection.transaction():
                return await work(connection)
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            if tries >= _TRIES:
                raise
        except asyncpg.InternalClientError as error:
            # How asyncpg ends a transaction whose server died under it, now and then.
            raise asyncpg.ConnectionDoesNotExistError("the connection broke") from error


async def tenant_work(pool: Pool, caller: Caller, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do this work in one transaction on behalf of a caller, as `in_transaction` does."""
    tries = 0
    while True:
        tries += 1
        try:
            async with tenant_transaction(pool, caller) as connection:
                return await work(connection)
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            if tries >= _TRIES:
                raise

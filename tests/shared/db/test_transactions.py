"""Transactions on behalf of a caller, and those that are done again."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from shared.contracts.envelope import Caller
from shared.db import in_transaction, is_away, tenant_reading, tenant_transaction
from tests.platform import Platform

TABLE = """
CREATE SCHEMA IF NOT EXISTS trial_db;
GRANT USAGE ON SCHEMA trial_db TO sync_request;
CREATE TABLE IF NOT EXISTS trial_db.letter (
    letter_id integer PRIMARY KEY, tenant_id uuid NOT NULL, account_id uuid NOT NULL
);
TRUNCATE trial_db.letter;
GRANT SELECT, UPDATE ON trial_db.letter TO sync_request;
ALTER TABLE trial_db.letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE trial_db.letter FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS callers ON trial_db.letter;
CREATE POLICY callers ON trial_db.letter TO sync_request USING (
    tenant_id = (SELECT nullif(current_setting('postbus.tenant', true), '')::uuid)
    AND account_id = ANY ((SELECT nullif(current_setting('postbus.accounts', true), '')
                                  ::uuid[])::uuid[]));
"""

OURS, THEIRS = uuid4(), uuid4()
INBOX, PRIVATE, FOREIGN = uuid4(), uuid4(), uuid4()


@pytest_asyncio.fixture(loop_scope="session")
async def pool(platform: Platform) -> AsyncIterator[asyncpg.Pool]:
    admin = await asyncpg.connect(platform.admin_database_url)
    await admin.execute(TABLE)
    await admin.executemany(
        "INSERT INTO trial_db.letter VALUES ($1, $2, $3)",
        [(1, OURS, INBOX), (2, OURS, PRIVATE), (3, THEIRS, FOREIGN)],
    )
    await admin.close()
    url = platform.database_url("sync_request")
    request = await asyncpg.create_pool(url, min_size=1, max_size=1)
    yield request
    await request.close()


async def seen(pool: asyncpg.Pool, tenant: UUID, *accounts: UUID) -> list[int]:
    async with tenant_transaction(
        pool, Caller(tenant_id=tenant, account_ids=accounts)
    ) as connection:
        rows = await connection.fetch("SELECT letter_id FROM trial_db.letter ORDER BY 1")
    return [row["letter_id"] for row in rows]


async def test_a_caller_sees_one_tenant_and_in_it_the_accounts_it_may(pool: asyncpg.Pool) -> None:
    assert await seen(pool, OURS, INBOX, PRIVATE) == [1, 2]
    assert await seen(pool, OURS, INBOX) == [1]
    assert await seen(pool, OURS, FOREIGN) == []
    assert await seen(pool, OURS) == []


async def test_a_connection_used_for_a_tenant_forgets_it_and_raises_nothing(
    pool: asyncpg.Pool,
) -> None:
    # After SET LOCAL the setting is '', not NULL, and ''::uuid would raise (style: traps).
    assert await seen(pool, OURS, INBOX) == [1]
    assert await pool.fetch("SELECT * FROM trial_db.letter") == []
    assert await pool.fetchval("SELECT current_setting('postbus.tenant', true)") == ""


async def test_no_policy_knows_a_wildcard_and_each_reads_its_settings_once(
    platform: Platform,
) -> None:
    """`setting = '*' OR x = ANY(string_to_array(setting))` cost 17 s instead of 6 ms."""
    admin = await asyncpg.connect(platform.admin_database_url)
    policies = await admin.fetch("SELECT tablename, qual, with_check FROM pg_policies")
    await admin.close()
    assert policies
    for policy in policies:
        rule = f"{policy['qual']} {policy['with_check']}"
        assert "'*'" not in rule, policy["tablename"]
        # Read in a scalar sub-select, which is evaluated once for a query and not for each row.
        settings = rule.count("current_setting(")
        assert settings == rule.count("( SELECT (NULLIF(current_setting("), policy["tablename"]


async def test_transactions_that_met_in_a_deadlock_are_both_done_in_the_end(
    platform: Platform, pool: asyncpg.Pool
) -> None:
    admin = await asyncpg.create_pool(platform.admin_database_url)
    met = asyncio.Barrier(2)
    tries = 0

    async def both(first: int, second: int) -> None:
        waited = False

        async def work(connection: asyncpg.Connection) -> None:
            nonlocal tries, waited
            tries += 1
            statement = "UPDATE trial_db.letter SET account_id = account_id WHERE letter_id = $1"
            await connection.execute(statement, first)
            if not waited:
                waited = True
                await met.wait()
            await connection.execute(statement, second)

        await in_transaction(admin, work)  # type: ignore[arg-type]

    await asyncio.gather(both(1, 2), both(2, 1))
    await admin.close()
    assert tries > 2  # at least one of them was done again


async def test_a_transaction_whose_server_died_says_that_the_database_is_away(
    platform: Platform,
) -> None:
    admin = await asyncpg.create_pool(platform.admin_database_url, min_size=1, max_size=1)

    async def cut(connection: asyncpg.Connection) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 15")

    with pytest.raises(asyncpg.PostgresConnectionError) as broken:
        await in_transaction(admin, cut)  # type: ignore[arg-type]
    assert is_away(broken.value)
    await admin.close()


async def test_who_only_reads_sees_as_much_and_cannot_write(pool: asyncpg.Pool) -> None:
    caller = Caller(tenant_id=OURS, account_ids=(INBOX,))
    statement = "SELECT letter_id FROM trial_db.letter ORDER BY 1"
    async with tenant_reading(pool, caller) as connection:
        assert [row["letter_id"] for row in await connection.fetch(statement)] == [1]
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with tenant_reading(pool, caller) as connection:
            await connection.execute("UPDATE trial_db.letter SET letter_id = 9")
    # Nothing of it stays with the connection, however it ended.
    async with tenant_reading(pool, Caller(tenant_id=OURS, account_ids=())) as connection:
        assert await connection.fetch(statement) == []
    async with pool.acquire() as connection:
        assert await connection.fetch(statement) == []

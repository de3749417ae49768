"""A statement that forgets to say whose reads, changes and deletes nothing of another tenant.

Tried on every table there is, so that one that comes later is tried, too.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from services.api.actions.write_audit import write_audit
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, read
from shared.db import tenant_transaction
from tests.api.conftest import Api, Person
from tests.api.mail import Ground
from tests.api.test_isolation import ids_of

#: Of the tables that a caller may read, those that must have rows for this to mean something.
FULL = {
    *("account", "account_share", "api_token", "audit_log", "event_log", "invitation", "job"),
    *("log_position", "mailbox", "membership", "message", "person_settings", "session"),
    *("submission", "tenant", "upload", "upload_piece"),
}


class _RolledBack(Exception):
    """So that what was tried has not happened."""


async def columns_of(api: Api, privilege: str) -> dict[str, list[str]]:
    """The tables with tenants in them, and which columns a caller has this privilege for."""
    rows = await api.admin.fetch(
        """
        SELECT relname AS table, array_agg(attname::text ORDER BY attnum) AS columns
          FROM pg_class
          JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
         WHERE relnamespace = 'api'::regnamespace AND relkind = 'r'
           AND EXISTS (SELECT 1 FROM pg_attribute AS named
                        WHERE named.attrelid = pg_class.oid AND named.attname = 'tenant_id')
           AND has_column_privilege('api_request', pg_class.oid, attnum, $1)
         GROUP BY relname
        """,
        privilege,
    )
    return {row["table"]: row["columns"] for row in rows}


async def counts(api: Api, tables: list[str], whose: Person) -> dict[str, int]:
    return {
        table: await api.admin.fetchval(
            f"SELECT count(*) FROM api.{table} WHERE tenant_id = $1", whose.tenant_id
        )
        for table in tables
    }


async def fill(api: Api, person: Person, ground: Ground) -> None:
    """One of everything, of this person's."""
    ids = await ids_of(api, person, ground)
    me = person.tokens["user"]["id"]
    for method, path, body in (
        ("POST", "/tokens", {"name": "x", "scopes": ["mail:read"]}),
        ("POST", "/invitations", {"email": "x@example.org"}),
        ("PUT", f"/accounts/{ids['account']}/sharing", {"members": [me]}),
        ("PATCH", "/me/settings", {"theme": "dark"}),
    ):
        answer = await person.http.request(method, path, json=body)
        assert answer.is_success, (path, answer.text)
    await write_audit(api.world.pool)


@asynccontextmanager
async def trying(api: Api, caller: Caller) -> AsyncGenerator[asyncpg.pool.PoolConnectionProxy]:
    try:
        async with tenant_transaction(api.world.request_pool, caller) as connection:
            yield connection
            raise _RolledBack
    except _RolledBack:
        pass


async def test_a_statement_without_where_stays_within_the_tenant(
    api: Api, ada: Person, ground: Ground
) -> None:
    await fill(api, ada, ground)
    readable = await columns_of(api, "SELECT")
    hers = await counts(api, list(readable), ada)
    assert {table for table, count in hers.items() if count} >= FULL
    async with api.person() as eve:
        own = await eve.connects()
        # Eve says whatever she likes of herself, but for the tenant, which her token says.
        caller = Caller(
            tenant_id=eve.tenant_id,
            account_ids=(own.account_id, ground.account_id),
            person_id=read(Kind.USER, ada.tokens["user"]["id"]),
        )
        for table in readable:
            async with trying(api, caller) as connection:
                rows = await connection.fetch(f"SELECT tenant_id FROM {table}")
                assert {row["tenant_id"] for row in rows} <= {eve.tenant_id}, table
        for table, columns in (await columns_of(api, "UPDATE")).items():
            async with trying(api, caller) as connection:
                await connection.execute(f"UPDATE {table} SET {columns[0]} = {columns[0]}")
                inside = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
                touched = await api.admin.fetchval(
                    f"SELECT count(*) FROM api.{table}"
                    f" WHERE tenant_id = $1 AND xmax::text::bigint = $2",
                    ada.tenant_id,
                    inside,
                )
                assert touched == 0, table
        deletable = await api.admin.fetch(
            """
            SELECT relname AS table FROM pg_class
             WHERE relnamespace = 'api'::regnamespace AND relkind = 'r'
               AND has_table_privilege('api_request', oid, 'DELETE')
            """
        )
        assert deletable
        for row in deletable:
            async with tenant_transaction(api.world.request_pool, caller) as connection:
                await connection.execute(f"DELETE FROM {row['table']}")
    assert await counts(api, list(readable), ada) == hers

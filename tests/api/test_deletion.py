"""Tenants and people who go, and that nothing of them stays."""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from nats.js.api import Header

from services.api.actions.forget_account import forget_account
from services.api.actions.forget_tenant import KEPT, forget_tenant
from services.api.actions.suspend_tenant import suspend_tenant
from services.api.actions.write_audit import write_audit
from shared.contracts.account import HoldSender, RemoveSender, RemoveSync
from shared.contracts.envelope import decode, encode
from shared.contracts.ids import Kind, shown
from shared.contracts.remains import (
    CountIndexerRemains,
    CountSenderRemains,
    CountSyncRemains,
    Remains,
)
from shared.contracts.standing import PauseSync, ResumeSync
from tests.api.conftest import PASSWORD, Api, Person, an_account
from tests.api.mail import Ground
from tests.api.test_isolation import ids_of
from tests.api.test_members import member

FAREWELL = {"password": PASSWORD}


async def forgets(api: Api) -> None:
    """All that the worker does, until nothing is left to do."""
    while await forget_account(api.world.pool):
        pass
    while await forget_tenant(api.world.pool, api.world.bus):
        pass


async def proof(api: Api, deletion: str, *, others: int = 0) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        for service, query in (
            ("sync", CountSyncRemains),
            ("sender", CountSenderRemains),
            ("indexer", CountIndexerRemains),
        ):
            await stack.enter_async_context(api.answering(service, query, Remains(rows=others)))
        client = await stack.enter_async_context(api.client())
        answer = await client.get(f"/deletions/{deletion}")
        assert answer.status_code == 200, answer.text
        return answer.json()


async def rows_of(api: Api, tenant_id: UUID) -> dict[str, int]:
    tables = await api.admin.fetch(
        """
        SELECT table_name AS name FROM information_schema.columns
         WHERE table_schema = 'api' AND column_name = 'tenant_id'
        """
    )
    counts = {
        table["name"]: await api.admin.fetchval(
            f'SELECT count(*) FROM api."{table["name"]}" WHERE tenant_id = $1', tenant_id
        )
        for table in tables
    }
    return {name: count for name, count in counts.items() if count}


async def bury(api: Api, ground: Ground) -> None:
    """Something of this tenant that could not be handled."""
    async with api.platform.admin_bus() as client:
        for body in (
            RemoveSync(tenant_id=ground.tenant_id, account_id=ground.account_id),
            RemoveSync(tenant_id=UUID(int=7), account_id=UUID(int=7)),
        ):
            await client.jetstream().publish(
                "dead.sync-sync-account-remove",
                encode(body),
                headers={Header.MSG_ID.value: str(body.event_id)},
            )


async def test_nothing_stays_of_a_deleted_tenant(api: Api, ada: Person, ground: Ground) -> None:
    await ids_of(api, ada, ground)
    await ada.http.post("/tokens", json={"name": "x", "scopes": ["mail:read"]})
    await write_audit(api.world.pool)
    await bury(api, ground)
    async with api.person() as eve, member(api, ada) as (grace, _):
        await eve.connects()
        before = await rows_of(api, eve.tenant_id)

        wrong = await ada.http.post("/tenant/deletion", json={"password": "wrong"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "password_wrong")
        assert (await grace.post("/tenant/deletion", json=FAREWELL)).status_code == 403
        answer = await ada.http.post("/tenant/deletion", json=FAREWELL)
        assert answer.status_code == 202, answer.text
        deletion = answer.json()["id"]
        for client in (ada.http, grace):
            assert (await client.get("/me")).status_code == 401
        login = {"email": ada.email, "password": PASSWORD}
        assert (await ada.http.post("/auth/login", json=login)).status_code == 401

        meanwhile = await proof(api, deletion)
        assert not meanwhile["done"]
        assert meanwhile["rows"]["api"] > 0
        assert meanwhile["dead_letters"] == 1

        await forgets(api)
        assert not (await proof(api, deletion, others=1))["done"]
        proven = await proof(api, deletion)
        assert proven["done"]
        assert proven["rows"] == {"api": 0, "sync": 0, "sender": 0, "indexer": 0}
        assert proven["dead_letters"] == 0
        asked, until = (datetime.fromisoformat(proven[n]) for n in ("asked_at", "backups_until"))
        assert until - asked == timedelta(days=api.world.settings.backup_days)
        # Ids alone: that there was a tenant, its account, and the deletion.
        left = await rows_of(api, ada.tenant_id)
        assert left == {"tenant": 1, "account": 1, "deletion": 1}
        assert set(left) <= set(KEPT)
        people = [row["email"] for row in await api.rows("person", "email")]
        assert people == [eve.email]
        names = {row["tenant_id"]: row["name"] for row in await api.rows("tenant", "tenant_id")}
        assert names[ada.tenant_id] == ""
        assert await rows_of(api, eve.tenant_id) == before, "nobody else lost anything"
    told = {row["subject"] for row in await api.rows("outbox", "position")}
    assert {RemoveSync.channel, RemoveSender.channel} <= told
    async with api.platform.admin_bus() as client:
        dead = await client.jetstream().stream_info("DEAD")
        assert dead.state.messages == 1, "another tenant's dead letter stays"


async def test_a_proof_is_for_who_knows_its_id(api: Api, ada: Person) -> None:
    async with api.client() as client:
        one = UUID(int=1)
        for unknown in (shown(Kind.DELETION, one), "del_x", shown(Kind.TENANT, one)):
            assert (await client.get(f"/deletions/{unknown}")).status_code == 404


async def test_who_goes_takes_what_is_theirs_alone(api: Api, ada: Person, ground: Ground) -> None:
    async with member(api, ada) as (grace, _):
        hers = (await grace.post("/accounts", json=an_account())).json()["id"]
        answer = await grace.post("/me/deletion", json=FAREWELL)
        assert answer.status_code == 202, answer.text
        (asked,) = answer.json()["items"]
        assert (await grace.get("/me")).status_code == 401
        await forgets(api)
        assert (await proof(api, asked["id"]))["done"]
    assert len(await ada.items("/members")) == len(await ada.items("/accounts")) == 1
    told = [
        decode(row["body"], RemoveSync)
        for row in await api.rows("outbox", "position")
        if row["subject"] == RemoveSync.channel
    ]
    assert [shown(Kind.ACCOUNT, order.account_id) for order in told] == [hers]
    assert [row["email"] for row in await api.rows("person", "email")] == [ada.email]


async def test_a_tenant_of_one_goes_with_them_and_one_of_many_needs_an_owner(
    api: Api, ada: Person
) -> None:
    async with member(api, ada) as (_, grace_id):
        answer = await ada.http.post("/me/deletion", json=FAREWELL)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
        assert (await ada.http.get("/me")).status_code == 200
        await ada.http.delete(f"/members/{grace_id}")
        (asked,) = (await ada.http.post("/me/deletion", json=FAREWELL)).json()["items"]
        assert asked["user_id"] is None, "the whole tenant"
    await forgets(api)
    assert (await proof(api, asked["id"]))["done"]
    assert await api.rows("person", "email") == []


async def test_a_suspended_tenant_waits(api: Api, ada: Person, ground: Ground) -> None:
    paused = await ada.connects(name="Paused")
    await ada.http.post(f"/accounts/{shown(Kind.ACCOUNT, paused.account_id)}:pause")
    await suspend_tenant(api.world.pool, ada.tenant_id, "The bill was not paid.")
    answer = await ada.http.get("/accounts")
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")
    assert answer.json()["detail"] == "The bill was not paid."
    async with api.person() as eve:
        assert (await eve.http.get("/accounts")).status_code == 200
    await suspend_tenant(api.world.pool, ada.tenant_id, None)
    assert (await ada.http.get("/accounts")).status_code == 200
    told = [
        (row["subject"], decode(row["body"], PauseSync).account_id)
        for row in await api.rows("outbox", "position")
        if row["subject"] in (PauseSync.channel, ResumeSync.channel)
    ]
    assert told == [
        (PauseSync.channel, paused.account_id),
        (PauseSync.channel, ground.account_id),
        (ResumeSync.channel, ground.account_id),
    ]
    held = [
        decode(row["body"], HoldSender)
        for row in await api.rows("outbox", "position")
        if row["subject"] == HoldSender.channel
    ]
    both = {paused.account_id, ground.account_id}
    assert {(one.account_id, one.held, one.version) for one in held} == {
        (each, is_held, version) for each in both for is_held, version in ((True, 1), (False, 2))
    }


async def test_a_tenant_has_a_name(api: Api, ada: Person) -> None:
    answer = await ada.http.patch("/tenant", json={"name": "Society"})
    assert answer.status_code == 200, answer.text
    assert (await ada.http.get("/tenant")).json()["name"] == "Society"
    async with member(api, ada) as (grace, _):
        assert (await grace.patch("/tenant", json={"name": "x"})).status_code == 403
        assert (await grace.get("/tenant")).json()["name"] == "Society"


async def test_whatever_table_there_is_the_service_can_count_and_empty_it(api: Api) -> None:
    rows = await api.admin.fetch(
        """
        SELECT relname AS table,
               has_table_privilege('api', oid, 'SELECT')
               AND (has_table_privilege('api', oid, 'DELETE') OR relname = 'audit_log') AS granted,
               EXISTS (SELECT 1 FROM pg_policy
                        WHERE polrelid = pg_class.oid AND polcmd = '*'
                          AND 'api'::regrole = ANY (polroles)
                          AND pg_get_expr(polqual, polrelid) = 'true') AS seen
          FROM pg_class
         WHERE relnamespace = 'api'::regnamespace AND relkind = 'r'
           AND EXISTS (SELECT 1 FROM pg_attribute
                        WHERE attrelid = pg_class.oid AND attname = 'tenant_id')
        """
    )
    assert len(rows) > 20
    assert [row["table"] for row in rows if not row["granted"]] == []
    assert [row["table"] for row in rows if not row["seen"]] == []


async def test_what_is_a_members_alone_goes_with_them(api: Api) -> None:
    rows = await api.admin.fetch(
        """
        SELECT relname AS table FROM pg_class
         WHERE relnamespace = 'api'::regnamespace AND relkind = 'r'
           AND 2 = (SELECT count(*) FROM pg_attribute
                     WHERE attrelid = pg_class.oid AND attname IN ('tenant_id', 'person_id'))
           AND NOT EXISTS (SELECT 1 FROM pg_constraint
                            WHERE conrelid = pg_class.oid AND confdeltype = 'c'
                              AND confrelid IN ('api.membership'::regclass, 'api.person'::regclass))
        """
    )
    # Who belongs; what they did; that they went; and what a day ends.
    expected = {"membership", "audit_log", "deletion", "idempotency_key"}
    assert {row["table"] for row in rows} == expected

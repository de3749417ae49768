from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.store import accounts
from shared.contracts.envelope import Caller
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Attachment, ContentAnswer, ReadContent
from shared.contracts.search import Found, SearchAnswer, SearchMessages
from shared.db import tenant_transaction
from tests.api.conftest import PASSWORD, Api, Person, an_account, running_api
from tests.api.mail import NOON, Ground
from tests.platform import Platform

TABLES = (
    "account",
    "mailbox",
    "message",
    "message_label",
    "submission",
    "event_log",
    "job",
    "intent",
    "intent_clock",
    "intent_message",
    "confirmed",
)


_READ = {"keywords": {"seen": True}}


def _batch(which: dict[str, Any]) -> dict[str, Any]:
    return {"json": {**which, "change": _READ}}


async def ids_of(api: Api, person: Person, ground: Ground) -> dict[str, str]:
    """One of everything that belongs to somebody."""
    part = Attachment(number=1, name="a.pdf", content_type="application/pdf", size_bytes=9)
    message = ground.message(
        "Private", state=ground.state(None, labels=("Mine",)), attachments=(part,)
    )
    await api.hears(ground.mailboxes(), ground.page(message))
    uploaded = await person.http.post("/uploads", files={"file": ("a.txt", b"Private")})
    sent = await person.http.post(
        "/submissions",
        json={"account_id": shown(Kind.ACCOUNT, ground.account_id), "to": ["g@example.org"]},
    )
    marked = await person.http.patch(
        f"/messages/{shown(Kind.MESSAGE, message.message_id)}", json={"keywords": {"seen": True}}
    )
    return {
        "job": marked.json()["id"],
        "thread": shown(Kind.THREAD, message.state.thread_id),
        "account": shown(Kind.ACCOUNT, ground.account_id),
        "mailbox": shown(Kind.MAILBOX, ground.inbox),
        "message": shown(Kind.MESSAGE, message.message_id),
        "submission": sent.json()["id"],
        "upload": uploaded.json()["id"],
    }


async def test_another_tenants_ids_are_not_there(api: Api, ada: Person, ground: Ground) -> None:
    ids = await ids_of(api, ada, ground)
    async with api.person() as eve:
        await eve.connects()
        attacks: list[tuple[str, str, dict[str, Any]]] = [
            ("GET", f"/accounts/{ids['account']}", {}),
            ("PATCH", f"/accounts/{ids['account']}", {"json": {"name": "Eve"}}),
            ("DELETE", f"/accounts/{ids['account']}", {}),
            ("GET", "/mailboxes", {"params": {"account_id": ids["account"]}}),
            ("GET", "/labels", {"params": {"account_id": ids["account"]}}),
            ("GET", "/messages", {"params": {"mailbox_id": ids["mailbox"]}}),
            ("GET", "/messages", {"params": {"account_id": ids["account"]}}),
            ("GET", "/messages", {"params": {"account_id": ids["account"], "label": "Mine"}}),
            ("GET", f"/messages/{ids['message']}", {}),
            ("GET", f"/messages/{ids['message']}/attachments/1", {}),
            ("GET", f"/messages/{ids['message']}/attachments.zip", {}),
            ("GET", f"/messages/{ids['message']}/raw", {}),
            ("POST", f"/messages/{ids['message']}:unsubscribe", {}),
            ("PATCH", f"/messages/{ids['message']}", {"json": _READ}),
            ("PATCH", f"/messages/{ids['message']}", {"json": {"destroy": True}}),
            ("GET", f"/threads/{ids['thread']}", {}),
            ("PATCH", f"/threads/{ids['thread']}", {"json": _READ}),
            ("POST", "/messages:batch", _batch({"message_ids": [ids["message"]]})),
            ("POST", "/messages:batch", _batch({"query": {"mailbox_id": ids["mailbox"]}})),
            ("POST", "/messages:batch", _batch({"query": {"account_id": ids["account"]}})),
            ("POST", "/mailboxes", {"json": {"account_id": ids["account"], "path": "Eve"}}),
            ("PATCH", f"/mailboxes/{ids['mailbox']}", {"json": {"path": "Eve"}}),
            ("PATCH", f"/mailboxes/{ids['mailbox']}", {"json": {"subscribed": False}}),
            ("DELETE", f"/mailboxes/{ids['mailbox']}", {}),
            ("POST", f"/mailboxes/{ids['mailbox']}:empty", {}),
            ("POST", f"/mailboxes/{ids['mailbox']}:mark-all-read", {}),
            ("GET", f"/jobs/{ids['job']}", {}),
            ("POST", f"/jobs/{ids['job']}:undo", {}),
            ("GET", f"/uploads/{ids['upload']}", {}),
            ("GET", f"/uploads/{ids['upload']}/content", {}),
            ("DELETE", f"/uploads/{ids['upload']}", {}),
            ("GET", f"/submissions/{ids['submission']}", {}),
            ("GET", "/submissions", {"params": {"account_id": ids["account"]}}),
            ("GET", "/events", {"params": {"account_id": ids["account"]}}),
            ("POST", "/submissions", {"json": {"account_id": ids["account"], "to": ["e@e.org"]}}),
        ]
        for method, path, more in attacks:
            answer = await eve.http.request(method, path, **more)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        for path in ("/accounts", "/mailboxes", "/submissions", "/events"):
            assert ids["account"] not in (await eve.http.get(path)).text, path
    assert (await ada.http.get(f"/accounts/{ids['account']}")).json()["name"] == "Ada"


async def test_what_search_finds_of_another_tenant_is_not_shown(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message("Private")
    await api.hears(ground.page(message))
    found = SearchAnswer(found=(Found(message_id=message.message_id, received_at=NOON),))
    async with api.person() as eve, api.answering("indexer", SearchMessages, found) as asked:
        assert await eve.items("/search", q="private") == []
    assert asked[0].caller.account_ids == ()


async def test_content_of_another_tenant_is_not_even_asked_for(
    api: Api, ada: Person, ground: Ground
) -> None:
    ids = await ids_of(api, ada, ground)
    async with api.person() as eve, api.answering("sync", ReadContent, ContentAnswer()) as asked:
        assert (await eve.http.get(f"/messages/{ids['message']}")).status_code == 404
    assert asked == []


async def test_a_query_that_forgets_to_say_whose_leaks_nothing(
    api: Api, ada: Person, ground: Ground
) -> None:
    await ids_of(api, ada, ground)
    async with api.person() as eve:
        hers = await eve.connects()
        caller = Caller(tenant_id=eve.tenant_id, account_ids=(hers.account_id, ground.account_id))
        async with tenant_transaction(api.world.request_pool, caller) as connection:
            for table in TABLES:
                rows = await connection.fetch(f"SELECT tenant_id FROM {table}")
                assert {row["tenant_id"] for row in rows} <= {eve.tenant_id}, table
            assert await connection.fetchval("SELECT count(*) FROM log_position") == 1
            for table in ("upload", "upload_piece", "upload_use"):
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            changed = await connection.execute("UPDATE account SET name = 'Eve'")
            assert changed == "UPDATE 1"
    assert (await ada.items("/accounts"))[0]["name"] == "Ada"


async def test_an_account_the_caller_may_not_see_is_hidden_within_the_tenant_too(
    api: Api, ada: Person, ground: Ground
) -> None:
    other = await ada.connects()
    await ids_of(api, ada, ground)
    caller = Caller(tenant_id=ada.tenant_id, account_ids=(other.account_id,))
    async with tenant_transaction(api.world.request_pool, caller) as connection:
        for table in TABLES:
            rows = await connection.fetch(f"SELECT account_id FROM {table}")
            assert {row["account_id"] for row in rows} <= {other.account_id}, table


async def test_nobody_writes_into_another_tenant(api: Api, ada: Person, ground: Ground) -> None:
    caller = Caller(tenant_id=ada.tenant_id, account_ids=(ground.account_id,))
    async with api.person() as eve:
        async with tenant_transaction(api.world.request_pool, caller) as connection:
            account = await accounts.by_id(connection, ada.tenant_id, ground.account_id)
            assert account is not None
        moved = structs.replace(account, account_id=uuid7())
        for tenant_id in (eve.tenant_id, ada.tenant_id):  # also: an id that is not the caller's
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with tenant_transaction(api.world.request_pool, caller) as connection:
                    await accounts.add(connection, tenant_id, moved)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tenant_transaction(api.world.request_pool, caller) as connection:
                await connection.execute("UPDATE account SET tenant_id = $1", eve.tenant_id)


@pytest.mark.parametrize(
    "table", ["person", "session", "refresh_token", "api_token", "tenant", "retelling"]
)
async def test_what_acts_for_a_caller_cannot_read_who_signs_in(api: Api, table: str) -> None:
    async with api.world.request_pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT * FROM {table}")


async def test_what_acts_for_a_caller_cannot_read_what_waits_for_the_bus(api: Api) -> None:
    async with api.world.request_pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM outbox")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM sync.message")


async def test_the_tenant_header_is_believed_only_when_the_token_says_the_same(
    api: Api, ada: Person
) -> None:
    async with api.person() as eve:
        own = await ada.http.get(
            "/accounts", headers={"X-Tenant-ID": shown(Kind.TENANT, ada.tenant_id)}
        )
        assert own.status_code == 200
        foreign = await ada.http.get(
            "/accounts", headers={"X-Tenant-ID": shown(Kind.TENANT, eve.tenant_id)}
        )
        assert foreign.status_code == 401


async def test_who_belongs_to_several_tenants_says_where_they_sign_in(
    platform: Platform, seal_directory: Path, api: Api
) -> None:
    async with api.person() as ada, api.person() as eve:
        made = await eve.http.post("/invitations", json={"email": ada.email})
        joined = await ada.http.post(
            "/auth/accept-invitation", json={"token": made.json()["token"], "password": PASSWORD}
        )
        assert joined.status_code == 200, joined.text
        first, second = (shown(Kind.TENANT, each.tenant_id) for each in (ada, eve))
        async with running_api(
            platform,
            seal_directory,
            default_tenant=second,
            tenant_header="X-Org",
            sign_ins_per_minute=100,
        ) as other:
            for server, sent, body, where in (
                (api, {}, None, first),
                (api, {"X-Tenant-ID": str(eve.tenant_id)}, first, first),
                (other, {}, None, second),
                (other, {"X-Org": str(eve.tenant_id)}, None, second),
                (other, {"X-Org": first}, None, first),
                (other, {"X-Tenant-ID": first}, None, second),
            ):
                async with server.client(**sent) as client:
                    answer = await client.post(
                        "/auth/login",
                        json={"email": ada.email, "password": PASSWORD, "tenant_id": body},
                    )
                assert answer.json()["tenant"]["id"] == where, (sent, body)
            async with other.client(**{"X-Org": "nonsense"}) as client:
                answer = await client.post(
                    "/auth/login", json={"email": ada.email, "password": PASSWORD}
                )
            assert (answer.status_code, answer.json()["code"]) == (401, "credentials_wrong")


async def test_accounts_are_told_apart_by_tenant_even_with_equal_names(
    api: Api, ada: Person
) -> None:
    async with api.person() as eve:
        await ada.http.post("/accounts", json=an_account())
        await eve.http.post("/accounts", json=an_account())
        assert len(await ada.items("/accounts")) == len(await eve.items("/accounts")) == 1


async def test_the_newest_messages_of_a_mailbox_are_a_walk_along_an_index(
    api: Api, ada: Person, ground: Ground
) -> None:
    other = await ada.connects()
    for turn in range(20):
        await api.hears(
            ground.page(*(ground.message(minutes=turn * 100 + n) for n in range(100))),
            other.page(*(other.message(minutes=n) for n in range(100))),
        )
    # What is hidden is not walked over: tombstones, stubs, messages marked for removal.
    hidden = [ground.message(minutes=5000 + n) for n in range(300)]
    await api.hears(
        ground.page(*hidden),
        *(
            ground.changed(message.message_id, 2, ground.state(None, "\\Deleted"))
            for message in hidden[:100]
        ),
        *(ground.vanished(message.message_id, 3) for message in hidden[100:]),
    )
    await api.admin.execute("ANALYZE api.message")
    caller = Caller(tenant_id=ada.tenant_id, account_ids=(ground.account_id, other.account_id))
    async with tenant_transaction(api.world.request_pool, caller) as connection:
        for place, place_id in (("mailbox_id", ground.inbox), ("account_id", ground.account_id)):
            plan = "\n".join(
                row[0]
                for row in await connection.fetch(
                    f"""
                    EXPLAIN SELECT message_id, subject FROM message
                     WHERE tenant_id = '{ada.tenant_id}' AND {place} = '{place_id}' AND listed
                       AND (received_at, message_id) < (now(), '{uuid7()}')
                     ORDER BY received_at DESC, message_id DESC LIMIT 50
                    """
                )
            )
            assert f"Index Scan using message_by_{place.removesuffix('_id')}" in plan, plan
            assert "Sort" not in plan, plan
            assert "ROW(received_at, message_id)" in plan.partition("Index Cond")[2], plan
            assert "listed" not in plan, plan

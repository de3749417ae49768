"""Who did what, and that it stays written."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from services.api.actions.gather_jobs import gather_some
from services.api.actions.write_audit import forget_audit, write_audit
from shared.contracts.ids import Kind, shown
from tests.api.conftest import PASSWORD, Api, Person
from tests.api.mail import Ground
from tests.api.test_rights import EVERY, program


async def audit(api: Api, person: Person, **params: Any) -> list[dict[str, Any]]:
    await write_audit(api.world.pool)
    return await person.items("/audit", **params)


async def actions(api: Api, person: Person, **params: Any) -> list[str]:
    return [entry["action"] for entry in await audit(api, person, **params)]


async def test_what_somebody_does_is_written_down_with_who_and_from_where(
    api: Api, ada: Person, ground: Ground
) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    await api.hears(ground.mailboxes(), ground.page(ground.message("Hello")))
    await ada.http.patch(f"/accounts/{account}", json={"name": "Countess"})
    sent = await ada.http.post(
        "/submissions", json={"account_id": account, "to": ["g@example.org"]}
    )
    renamed = await ada.http.delete(f"/accounts/{account}", headers={"X-Request-ID": "mine-1"})
    assert renamed.status_code == 204
    entries = await audit(api, ada)
    assert [entry["action"] for entry in entries] == [
        *("account.deleted", "submission.created", "account.updated", "account.created"),
        "person.registered",
    ]
    assert {entry["user_id"] for entry in entries} == {ada.tokens["user"]["id"]}
    assert entries[0]["request_id"] == "mine-1"
    assert entries[0]["account_id"] == account
    assert entries[1]["subject"] == sent.json()["id"]
    assert entries[-1]["address"] == "127.0.0.1"
    # What sync tells is nobody's doing, and nothing is written twice.
    assert await audit(api, ada) == entries


async def test_what_somebody_deletes_is_written_down_as_their_doing(
    api: Api, ada: Person, ground: Ground
) -> None:
    one = ground.message("One")
    await api.hears(ground.mailboxes(), ground.page(one))
    message = f"/messages/{shown(Kind.MESSAGE, one.message_id)}"
    destroyed = await ada.http.patch(message, json={"destroy": True})
    assert destroyed.status_code == 202, destroyed.text
    # Far more than a request gathers: a worker goes on with the rest.
    for minute in range(11):
        page = (ground.message(minutes=minute) for _ in range(100))
        await api.hears(ground.page(*page))
    archive = shown(Kind.MAILBOX, ground.archive)
    batch = {
        "query": {"mailbox_id": shown(Kind.MAILBOX, ground.inbox)},
        "change": {"mailbox_id": archive},
    }
    async with program(api, ada, EVERY) as client:
        moved = await client.post("/messages:batch", json=batch)
        assert moved.status_code == 202, moved.text
        while await gather_some(api.world.pool, timedelta()) is not None:
            pass
        removed = await client.delete(f"/mailboxes/{archive}")
        assert removed.status_code == 202, removed.text
    (token,) = await ada.items("/tokens")
    me = ada.tokens["user"]["id"]

    (single,) = await audit(api, ada, action="messages.destroyed")
    assert (single["subject"], single["details"]) == (destroyed.json()["id"], {"count": 1})
    assert (single["user_id"], single["token_id"]) == (me, None)
    moves = await audit(api, ada, action="message.moved")
    assert sum(entry["details"]["count"] for entry in moves) == 1100
    assert {(entry["user_id"], entry["token_id"]) for entry in moves} == {(me, token["id"])}
    assert len({entry["request_id"] for entry in moves}) == 1
    (mailbox,) = await audit(api, ada, action="mailbox.destroyed")
    assert mailbox["details"] == {"mailbox_id": archive}


async def test_signing_in_tokens_and_members_are_written_down(api: Api, ada: Person) -> None:
    async with api.client() as client:
        for password in ("wrong", PASSWORD):
            await client.post("/auth/login", json={"email": ada.email, "password": password})
    async with program(api, ada, EVERY) as client:
        for _ in range(3):
            assert (await client.get("/accounts")).status_code == 200
    (token,) = await ada.items("/tokens")
    await ada.http.delete(f"/tokens/{token['id']}")
    await ada.http.post("/invitations", json={"email": "g@example.org"})
    entries = await audit(api, ada)
    assert [entry["action"] for entry in entries] == [
        *("member.invited", "token.removed", "token.used", "token.made"),
        *("session.opened", "session.refused", "person.registered"),
    ]
    used = entries[2]
    assert used["token_id"] == used["subject"] == token["id"]
    assert PASSWORD not in str(entries)
    assert "pbt_" not in str(entries)


async def test_the_audit_is_read_in_pages_and_by_what_is_asked_for(
    api: Api, ada: Person, ground: Ground
) -> None:
    for n in range(4):
        await ada.http.post("/tokens", json={"name": f"{n}", "scopes": ["mail:read"]})
    every = await audit(api, ada)
    pages: list[dict[str, Any]] = []
    cursor = None
    while True:
        params: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await ada.http.get("/audit", params=params)).json()
        pages += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == every
    assert await actions(api, ada, action="token") == ["token.made"] * 4
    assert await actions(api, ada, action="tok") == []
    account = shown(Kind.ACCOUNT, ground.account_id)
    assert await actions(api, ada, account_id=account) == ["account.created"]
    assert await actions(api, ada, until=every[0]["occurred_at"])
    assert await actions(api, ada, since="2100-01-01T00:00:00Z") == []
    bare = await ada.http.get("/audit", params={"since": "2026-01-01T00:00:00"})
    assert bare.status_code == 422


async def test_the_audit_is_for_who_administers_and_of_their_tenant(api: Api, ada: Person) -> None:
    async with api.person() as eve:
        assert len(await audit(api, eve)) == 1
        await eve.may_from_now_on(api, "member")
        assert (await eve.http.get("/audit")).status_code == 403


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"]
)
async def test_nobody_changes_what_is_written(api: Api, ada: Person, statement: str) -> None:
    for pool in (api.world.pool, api.world.request_pool):
        async with pool.acquire() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_only_what_is_old_is_forgotten(api: Api, ada: Person) -> None:
    await api.admin.execute("UPDATE api.audit_log SET occurred_at = now() - interval '100 days'")
    await ada.http.post("/tokens", json={"name": "x", "scopes": ["mail:read"]})
    async with api.world.pool.acquire() as connection:
        # Whatever is asked, the database lets nothing go that is not old enough.
        assert await connection.fetchval("SELECT forget_audit(NULL, now(), 100)") == 1
    assert await actions(api, ada) == ["token.made"]
    await forget_audit(api.world.pool, api.world.settings.audit_keep)
    assert await actions(api, ada) == ["token.made"]
    async with api.world.request_pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetchval("SELECT forget_audit(NULL, now(), 100)")

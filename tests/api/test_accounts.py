import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from services.api.actions.forget_account import forget_account
from services.api.workers.chores import work
from shared.contracts.account import (
    AccountProgressed,
    AccountRemoved,
    AccountState,
    ConnectSender,
    ConnectSync,
    RemoveSender,
    RemoveSync,
)
from shared.contracts.envelope import decode
from shared.contracts.ids import Kind, shown
from shared.seal import Destination, open_sealed
from tests.api.conftest import Api, Person, an_account, running_api
from tests.api.mail import NOON, Ground
from tests.platform import Platform

SECRET = "open-sesame"


async def orders(api: Api) -> list[Any]:
    """What waits for the bus, as the services that obey would read it."""
    kinds = {kind.channel: kind for kind in (ConnectSync, ConnectSender, RemoveSync, RemoveSender)}
    return [
        decode(row["body"], kinds[row["subject"]]) for row in await api.rows("outbox", "position")
    ]


async def test_a_password_is_sealed_for_those_who_dial_and_kept_nowhere(
    api: Api, ada: Person, ground: Ground
) -> None:
    sync, sender = await orders(api)
    assert isinstance(sync, ConnectSync)
    assert isinstance(sender, ConnectSender)
    for order, keys, purpose in (
        (sync, api.sync_keys, "imap"),
        (sender, api.sender_keys, "smtp"),
    ):
        place = Destination.of(
            order.endpoint,
            tenant_id=ada.tenant_id,
            account_id=ground.account_id,
            purpose=purpose,  # pyright: ignore[reportArgumentType]
        )
        assert open_sealed(order.sealed, keys, place).secret == SECRET

    tables = await api.admin.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'api'")
    for (table,) in tables:
        for row in await api.admin.fetch(f"SELECT x::text FROM api.{table} x"):
            assert SECRET not in row[0], table
            assert SECRET.encode().hex() not in row[0], table


async def test_an_account_shows_its_state_and_progress(
    api: Api, ada: Person, ground: Ground
) -> None:
    path = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    made = (await ada.http.get(path)).json()
    assert (made["state"], made["progress"]) == ("connecting", None)
    assert made["imap"] == {
        "host": "127.0.0.1",
        "port": 993,
        "security": "tls",
        "username": "ada",
        "verify_certificate": True,
    }
    progress = AccountProgressed(
        tenant_id=ground.tenant_id,
        account_id=ground.account_id,
        revision=3,
        done=10,
        total=200,
        mailbox="INBOX",
        ends_at=NOON,
    )
    await api.hears(
        ground.is_in(AccountState.SYNCING, 2), progress, ground.is_in(AccountState.CONNECTING, 1)
    )
    now = (await ada.http.get(path)).json()
    assert now["state"] == "syncing"
    told = {"done": 10, "total": 200, "mailbox": "INBOX", "ends_at": "2026-11-20T12:00:00Z"}
    assert now["progress"] == told
    events = await ada.events()
    assert [event["type"] for event in events] == [
        "account.created",
        "account.state_changed",
        "account.progress",
    ]
    assert events[-1]["data"] == told | {"id": shown(Kind.ACCOUNT, ground.account_id)}
    # The last that is told of a copy has nothing to guess any more.
    await api.hears(structs.replace(progress, revision=4, done=200, mailbox=None, ends_at=None))
    whole = (await ada.http.get(path)).json()["progress"]
    assert whole == {"done": 200, "total": 200, "mailbox": None, "ends_at": None}


@pytest.mark.parametrize(
    "change",
    [
        {"imap": {"host": "elsewhere.example.org"}},
        {"imap": {"port": 143}},
        {"imap": {"security": "starttls"}},
        {"imap": {"username": "eve"}},
        {"imap": {"verify_certificate": False}},
        {"smtp": {"host": "elsewhere.example.org"}},
    ],
)
async def test_a_password_goes_nowhere_it_was_not_given_for(
    api: Api, ada: Person, ground: Ground, change: dict[str, Any]
) -> None:
    path = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    answer = await ada.http.patch(path, json=change)
    assert (answer.status_code, answer.json()["code"]) == (422, "secret_required")
    (server,) = change
    assert answer.json()["errors"][0]["pointer"] == f"/{server}/password"
    assert len(await orders(api)) == 2


async def test_new_settings_are_tried_anew_under_the_same_id(
    api: Api, ada: Person, ground: Ground
) -> None:
    path = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    await api.hears(ground.is_in(AccountState.AUTH_FAILED, 5))
    answer = await ada.http.patch(
        path, json={"name": "New", "imap": {"port": 1993, "password": "other"}}
    )
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert (changed["state"], changed["name"], changed["imap"]["port"]) == (
        "connecting",
        "New",
        1993,
    )
    *_, last = await orders(api)
    assert isinstance(last, ConnectSync)
    assert (last.version, last.account_id) == (2, ground.account_id)
    assert len(await orders(api)) == 3  # sender's settings did not change


async def test_a_change_that_changes_nothing_disturbs_nobody(
    api: Api, ada: Person, ground: Ground
) -> None:
    path = f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}"
    answer = await ada.http.patch(path, json={"name": "Ada", "imap": {"port": 993}})
    assert answer.status_code == 200
    assert len(await orders(api)) == 2
    assert len(await ada.events()) == 1


async def test_a_deleted_account_is_gone_at_once_and_then_its_mail(
    api: Api, ada: Person, ground: Ground
) -> None:
    message = ground.message("Private matter")
    await api.hears(ground.mailboxes(), ground.page(message))
    account = shown(Kind.ACCOUNT, ground.account_id)
    await ada.http.post("/submissions", json={"account_id": account, "to": ["g@example.org"]})
    api.world.to_forget.clear()

    assert (await ada.http.delete(f"/accounts/{account}")).status_code == 204
    for path in (f"/accounts/{account}", f"/messages/{shown(Kind.MESSAGE, message.message_id)}"):
        assert (await ada.http.get(path)).status_code == 404
    assert (await ada.http.delete(f"/accounts/{account}")).status_code == 404
    assert await ada.items("/mailboxes") == []
    assert api.world.to_forget.is_set()
    kinds = [row["subject"] for row in await api.rows("outbox", "position")]
    assert kinds[-2:] == [RemoveSync.channel, RemoveSender.channel]

    # What is told afterwards is not kept.
    await api.hears(ground.page(ground.message()), ground.mailboxes(revision=9))
    while await forget_account(api.world.pool):
        pass
    for table in ("message", "mailbox", "submission"):
        assert await api.rows(table, "1") == [], table
    (tombstone,) = await api.rows("account", "1")
    words = [value.lower() for value in tombstone.values() if isinstance(value, str)]
    assert not [word for word in words if "ada" in word]

    events = await ada.events()
    assert events[-1]["type"] == "account.deleted"
    assert events[-1]["data"] == {"id": account}
    assert "Private matter" not in str(events)
    assert [int(event["cursor"].partition("-")[2]) for event in events] == list(
        range(1, len(events) + 1)
    )


async def test_an_account_that_sync_has_forgotten_goes_too(
    api: Api, ada: Person, ground: Ground
) -> None:
    removed = AccountRemoved(tenant_id=ground.tenant_id, account_id=ground.account_id, revision=9)
    await api.hears(removed, removed)
    assert await ada.items("/accounts") == []
    assert [event["type"] for event in await ada.events()] == [
        "account.created",
        "account.deleted",
    ]


async def test_a_password_without_tls_needs_the_operators_word(api: Api, ada: Person) -> None:
    body = an_account()
    body["imap"] = body["imap"] | {"security": "none"}
    answer = await ada.http.post("/accounts", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "message": "This Postbus does not send passwords without TLS "
            "(API_ALLOW_PLAINTEXT_PASSWORDS).",
            "pointer": "/imap/security",
            "code": "plaintext_password_refused",
        }
    ]


async def test_smtp_signs_in_as_imap_does_unless_told(api: Api, ada: Person) -> None:
    body = an_account()
    body["smtp"] = {"host": "smtp.example.org", "port": 465}
    answer = await ada.http.post("/accounts", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["smtp"]["username"] == "ada"
    _, sender = await orders(api)
    place = Destination.of(
        sender.endpoint,
        tenant_id=ada.tenant_id,
        account_id=sender.account_id,
        purpose="smtp",
    )
    assert open_sealed(sender.sealed, api.sender_keys, place).secret == SECRET


async def test_nothing_is_left_of_an_account_that_is_deleted_while_its_mail_comes(
    api: Api, ada: Person, ground: Ground
) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    pages = [ground.page(*(ground.message() for _ in range(20))) for _ in range(30)]
    deleted = asyncio.Event()

    async def comes(part: int) -> None:
        for page in pages[part::3]:
            await api.hears(page, ground.mailboxes(revision=part + 2))
            await api.hears(ground.changed(page.messages[0].message_id, 9, ground.state()))

    async def goes() -> None:
        await asyncio.sleep(0.1)
        assert (await ada.http.delete(f"/accounts/{account}")).status_code == 204
        deleted.set()

    async def is_forgotten() -> None:
        await deleted.wait()
        while await forget_account(api.world.pool):
            pass

    await asyncio.gather(*(comes(part) for part in range(3)), goes(), is_forgotten())
    for table in ("message", "mailbox", "retelling"):
        assert await api.rows(table, "1") == [], table


async def test_a_busy_database_does_not_end_the_work_of_forgetting(
    platform: Platform, seal_directory: Path
) -> None:
    async with (
        running_api(
            platform, seal_directory, database_statement_seconds=0.3, forget_poll_seconds=0.2
        ) as api,
        api.person() as ada,
    ):
        ground = await ada.connects()
        await api.hears(ground.page(ground.message()))
        await ada.http.delete(f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}")
        working = asyncio.create_task(work(api.world))
        try:
            async with api.admin.transaction():
                await api.admin.execute("SELECT FROM api.message FOR UPDATE")
                await asyncio.sleep(1)
                assert not working.done()
            async with asyncio.timeout(10):
                while await api.rows("message", "1"):
                    await asyncio.sleep(0.05)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

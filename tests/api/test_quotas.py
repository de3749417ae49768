"""How much a tenant may have, and how people want the webmail to be."""

import asyncio

from services.api.actions.count_storage import count_storage
from services.api.store.quotas import Quotas, set_quotas
from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person, an_account
from tests.api.mail import Ground
from tests.api.test_members import member


async def may_have(api: Api, person: Person, **quotas: int) -> None:
    async with api.world.pool.acquire() as connection:
        assert await set_quotas(connection, person.tenant_id, Quotas(**quotas))


async def test_a_tenant_connects_as_many_accounts_as_it_may(api: Api, ada: Person) -> None:
    await may_have(api, ada, accounts=3)
    async with member(api, ada) as (grace, _):
        # Also what nobody else sees is counted, and two at once are not both the last.
        assert (await grace.post("/accounts", json=an_account())).status_code == 201
        answers = await asyncio.gather(
            *(ada.http.post("/accounts", json=an_account()) for _ in range(6))
        )
        assert sorted(answer.status_code for answer in answers) == [201] * 2 + [403] * 4
        refused = next(answer for answer in answers if answer.status_code == 403)
        assert refused.json()["code"] == "quota_reached"
        assert "3 of 3 mail accounts" in refused.json()["detail"]
        usage = (await grace.get("/tenant/usage")).json()
        assert usage["accounts"] == {"used": 3, "limit": 3}
    async with api.person() as eve:
        assert (await eve.http.post("/accounts", json=an_account())).status_code == 201


async def test_a_tenant_sends_as_much_in_a_day_as_it_may(
    api: Api, ada: Person, ground: Ground
) -> None:
    await may_have(api, ada, sends_per_day=2)
    letter = {"account_id": shown(Kind.ACCOUNT, ground.account_id), "to": ["g@example.org"]}
    statuses = [(await ada.http.post("/submissions", json=letter)).status_code for _ in range(3)]
    assert statuses == [202, 202, 403]
    await api.admin.execute("UPDATE api.submission SET created_at = now() - interval '25 hours'")
    assert (await ada.http.post("/submissions", json=letter)).status_code == 202


async def test_a_tenant_that_is_full_takes_no_uploads_and_no_accounts(
    api: Api, ada: Person, ground: Ground
) -> None:
    await may_have(api, ada, storage_bytes=1000)
    await api.hears(ground.mailboxes(), ground.page(*(ground.message() for _ in range(3))))
    file = {"file": ("a.txt", b"x" * 2000)}
    assert (await ada.http.post("/uploads", files=file)).status_code == 201
    await count_storage(api.world.pool)
    usage = (await ada.http.get("/tenant/usage")).json()
    assert usage["storage_bytes"]["used"] > 2000
    assert usage["storage_counted_at"]
    for answer in (
        await ada.http.post("/uploads", files=file),
        await ada.http.post("/accounts", json=an_account()),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "quota_reached")
    # What comes is kept all the same.
    await api.hears(ground.page(ground.message("Late")))
    account = shown(Kind.ACCOUNT, ground.account_id)
    assert len(await ada.items("/messages", account_id=account)) == 4


async def test_a_tenant_asks_as_often_in_a_minute_as_it_may(api: Api, ada: Person) -> None:
    async with member(api, ada) as (grace, _):
        assert (await ada.http.get("/tenant/usage")).json()["requests_per_minute"] is None
        await may_have(api, ada, requests_per_minute=3)
        # All its people together, each counted in their own limits besides.
        usage = await ada.http.get("/tenant/usage")
        assert usage.json()["requests_per_minute"] == {"used": 1, "limit": 3}
        assert '"tenant";q=3;w=60' in usage.headers["RateLimit-Policy"]
        assert (await grace.get("/accounts")).status_code == 200
        assert (await ada.http.get("/accounts")).status_code == 200
        for client in (grace, ada.http):
            refused = await client.get("/accounts")
            assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
            assert "tenant" in refused.json()["detail"]
            assert 0 < int(refused.headers["Retry-After"]) <= 60
        async with api.person() as eve:
            assert (await eve.http.get("/accounts")).status_code == 200
        await may_have(api, ada, requests_per_minute=5)
        assert (await ada.http.get("/accounts")).status_code == 200


async def test_settings_are_changed_in_part_and_kept(api: Api, ada: Person) -> None:
    first = await ada.http.get("/me/settings")
    assert first.json()["density"] == "comfortable"
    changed = await ada.http.patch(
        "/me/settings", json={"density": "compact", "time_zone": "Europe/Berlin"}
    )
    assert changed.status_code == 200, changed.text
    both = await ada.http.patch("/me/settings", json={"signature": "Ada", "time_zone": None})
    assert both.json() == first.json() | {"density": "compact", "signature": "Ada"}
    assert (await ada.http.get("/me/settings")).json() == both.json()
    async with member(api, ada) as (grace, _):
        assert (await grace.get("/me/settings")).json() == first.json()


async def test_settings_that_make_no_sense_are_refused(ada: Person) -> None:
    wrong = {
        "time_zone": "Mars/Olympus",
        "density": "tight",
        "page_size": 0,
        "language": "x" * 40,
        "colour": "red",
    }
    answer = await ada.http.patch("/me/settings", json=wrong)
    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {f"/{name}" for name in wrong}
    for zone in ("../../etc/passwd", "/etc/localtime", "x\u0000y"):
        assert (await ada.http.patch("/me/settings", json={"time_zone": zone})).status_code == 422


async def test_a_change_over_what_somebody_else_changed_is_refused(ada: Person) -> None:
    tag = (await ada.http.get("/me/settings")).headers["etag"]
    match = {"If-Match": tag}
    assert (await ada.http.get("/me/settings", headers={"If-None-Match": tag})).status_code == 304
    one = await ada.http.patch("/me/settings", json={"theme": "dark"}, headers=match)
    assert one.status_code == 200
    other = await ada.http.patch("/me/settings", json={"theme": "light"}, headers=match)
    assert (other.status_code, other.json()["code"]) == (412, "changed_meanwhile")
    again = {"If-Match": one.headers["etag"]}
    assert (
        await ada.http.patch("/me/settings", json={"theme": "light"}, headers=again)
    ).status_code == 200


async def test_two_changes_at_once_are_both_kept(ada: Person) -> None:
    await asyncio.gather(
        *(
            ada.http.patch("/me/settings", json=change)
            for change in ({"theme": "dark"}, {"density": "cosy"}, {"signature": "A"})
        )
    )
    settings = (await ada.http.get("/me/settings")).json()
    assert (settings["theme"], settings["density"], settings["signature"]) == ("dark", "cosy", "A")

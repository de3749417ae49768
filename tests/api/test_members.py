"""Who belongs to a tenant, and whose the accounts are."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import httpx

from shared.contracts.account import RemoveSync
from shared.contracts.envelope import decode
from shared.contracts.ids import Kind, shown
from tests.api.conftest import PASSWORD, Api, Person, an_account, running_api
from tests.api.mail import Ground
from tests.platform import Platform

GRACE = "grace@example.org"


async def invite(person: Person, email: str = GRACE, role: str = "member") -> str:
    answer = await person.http.post("/invitations", json={"email": email, "role": role})
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


@asynccontextmanager
async def member(
    api: Api, person: Person, role: str = "member", email: str = GRACE
) -> AsyncGenerator[tuple[httpx.AsyncClient, str]]:
    """Somebody who has followed an invitation, and their id."""
    token = await invite(person, email, role)
    async with api.client() as client:
        answer = await client.post(
            "/auth/accept-invitation", json={"token": token, "password": PASSWORD, "name": "Grace"}
        )
        assert answer.status_code == 200, answer.text
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client, answer.json()["user"]["id"]


async def accounts_of(client: httpx.AsyncClient) -> list[str]:
    return [account["id"] for account in (await client.get("/accounts")).json()["items"]]


async def test_who_is_invited_joins_once(api: Api, ada: Person) -> None:
    token = await invite(ada)
    (asked,) = await ada.items("/invitations")
    assert (asked["email"], asked["role"]) == (GRACE, "member")
    assert token not in (await ada.http.get("/invitations")).text
    acceptance = {"token": token, "password": PASSWORD, "name": "Grace"}
    async with api.client() as client:
        joined = await client.post("/auth/accept-invitation", json=acceptance)
        assert joined.json()["tenant"]["id"] == ada.tokens["tenant"]["id"]
        again = await client.post("/auth/accept-invitation", json=acceptance)
        assert (again.status_code, again.json()["code"]) == (410, "invitation_invalid")
        signed = await client.post("/auth/login", json={"email": GRACE, "password": PASSWORD})
        assert signed.status_code == 200
    assert [one["role"] for one in await ada.items("/members")] == ["owner", "member"]
    assert await ada.items("/invitations") == []


async def test_an_invitation_ends_when_it_is_withdrawn_repeated_or_old(
    api: Api, ada: Person
) -> None:
    first = await invite(ada)
    second = await invite(ada)
    third = await invite(ada, "other@example.org")
    for asked in await ada.items("/invitations"):
        if asked["email"] == GRACE:
            gone = await ada.http.delete(f"/invitations/{asked['id']}")
            assert gone.status_code == 204
    await api.admin.execute("UPDATE api.invitation SET expires_at = now()")
    async with api.client() as client:
        for token in (first, second, third, "pbi_nonsense"):
            answer = await client.post(
                "/auth/accept-invitation", json={"token": token, "password": PASSWORD}
            )
            assert answer.status_code == 410, token


async def test_who_is_known_joins_with_their_password_and_belongs_to_both(
    api: Api, ada: Person
) -> None:
    async with api.person() as eve:
        token = await invite(ada, eve.email.upper())
        async with api.client() as client:
            asked = {"token": token, "password": "not the password"}
            wrong = await client.post("/auth/accept-invitation", json=asked)
            assert (wrong.status_code, wrong.json()["code"]) == (422, "password_wrong")
            joined = await client.post(
                "/auth/accept-invitation", json=asked | {"password": PASSWORD}
            )
            assert joined.status_code == 200
            for tenant in (ada.tokens["tenant"]["id"], eve.tokens["tenant"]["id"]):
                signed = await client.post(
                    "/auth/login",
                    json={"email": eve.email, "password": PASSWORD, "tenant_id": tenant},
                )
                assert signed.json()["tenant"]["id"] == tenant
        tenants = (await eve.http.get("/me")).json()["tenants"]
        assert [tenant["role"] for tenant in tenants] == ["owner", "member"]
        stranger = await eve.http.post(
            "/auth/login",
            json={"email": ada.email, "password": PASSWORD, "tenant_id": tenants[0]["id"]},
        )
        assert stranger.status_code == 401


async def test_an_account_is_private_until_it_is_shared(
    api: Api, ada: Person, ground: Ground
) -> None:
    hers = shown(Kind.ACCOUNT, ground.account_id)
    await api.hears(ground.mailboxes(), ground.page(ground.message("Private")))
    async with member(api, ada) as (grace, grace_id):
        assert await accounts_of(grace) == []
        for path in (
            f"/accounts/{hers}",
            f"/accounts/{hers}/sharing",
            f"/messages?account_id={hers}",
        ):
            assert (await grace.get(path)).status_code == 404, path
        assert (await grace.get("/events?limit=200")).text.count(hers) == 0

        for how in ({"members": [grace_id]}, {"everyone": True}):
            shared = await ada.http.put(f"/accounts/{hers}/sharing", json=how)
            assert shared.status_code == 200, shared.text
            assert await accounts_of(grace) == [hers]
            assert len((await grace.get(f"/messages?account_id={hers}")).json()["items"]) == 1
            # Shared is not given away.
            renamed = await grace.patch(f"/accounts/{hers}", json={"name": "Mine"})
            assert (renamed.status_code, renamed.json()["code"]) == (403, "not_permitted")
            assert (await grace.put(f"/accounts/{hers}/sharing", json={})).status_code == 403
            assert (await grace.delete(f"/accounts/{hers}")).status_code == 403
            private = await ada.http.put(f"/accounts/{hers}/sharing", json={})
            assert private.json() == {
                "owner": ada.tokens["user"]["id"],
                "everyone": False,
                "members": [],
            }
            assert await accounts_of(grace) == []


async def test_an_account_is_not_shared_with_strangers(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with api.person() as eve:
        answer = await ada.http.put(
            f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}/sharing",
            json={"members": [eve.tokens["user"]["id"], "usr_x"]},
        )
        assert [error["pointer"] for error in answer.json()["errors"]] == [
            "/members/0",
            "/members/1",
        ]
        assert await eve.items("/accounts") == []


async def test_a_members_own_account_is_nobody_elses_and_theirs_to_change(
    api: Api, ada: Person
) -> None:
    async with member(api, ada) as (grace, _):
        made = await grace.post("/accounts", json=an_account())
        hers = made.json()["id"]
        assert await accounts_of(ada.http) == [], "not even the owner's of the tenant"
        assert (await grace.patch(f"/accounts/{hers}", json={"name": "x"})).status_code == 200


async def test_a_member_who_goes_leaves_nothing_behind_that_is_good(api: Api, ada: Person) -> None:
    async with member(api, ada) as (grace, grace_id):
        hers = (await grace.post("/accounts", json=an_account())).json()["id"]
        token = await grace.post("/tokens", json={"name": "x", "scopes": ["mail:read"]})
        gone = await ada.http.delete(f"/members/{grace_id}")
        assert gone.status_code == 204, gone.text
        assert (await grace.get("/me")).status_code == 401
        secret = token.json()["secret"]
        bearer = {"Authorization": f"Bearer {secret}"}
        assert (await grace.get("/me", headers=bearer)).status_code == 401
    rows = await api.rows("outbox", "position")
    told = [decode(row["body"], RemoveSync) for row in rows if row["subject"] == RemoveSync.channel]
    assert [shown(Kind.ACCOUNT, order.account_id) for order in told] == [hers]


async def test_accounts_of_who_goes_may_be_given_to_somebody(api: Api, ada: Person) -> None:
    async with member(api, ada) as (grace, grace_id):
        hers = (await grace.post("/accounts", json=an_account())).json()["id"]
        nobody = await ada.http.delete(
            f"/members/{grace_id}", params={"accounts_to": shown(Kind.USER, uuid4())}
        )
        assert nobody.status_code == 404
        assert (await grace.get("/me")).status_code == 200, "nothing happened"
        me = ada.tokens["user"]["id"]
        gone = await ada.http.delete(f"/members/{grace_id}", params={"accounts_to": me})
        assert gone.status_code == 204
    assert await accounts_of(ada.http) == [hers]


async def test_a_tenant_keeps_an_owner(api: Api, ada: Person) -> None:
    me = ada.tokens["user"]["id"]
    for answer in (
        await ada.http.delete(f"/members/{me}"),
        await ada.http.patch(f"/members/{me}", json={"role": "admin"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "last_owner")
    async with member(api, ada, "owner") as (grace, _):
        assert (await grace.patch(f"/members/{me}", json={"role": "member"})).status_code == 200
        assert (await ada.http.get("/invitations")).status_code == 403


async def test_an_admin_makes_no_owner_and_unmakes_none(api: Api, ada: Person) -> None:
    me = ada.tokens["user"]["id"]
    async with member(api, ada, "admin") as (grace, grace_id):
        for answer in (
            await grace.patch(f"/members/{grace_id}", json={"role": "owner"}),
            await grace.patch(f"/members/{me}", json={"role": "member"}),
            await grace.delete(f"/members/{me}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "not_permitted")
        asked = await grace.post("/invitations", json={"email": "x@y.org", "role": "owner"})
        assert asked.status_code == 422


async def test_members_of_another_tenant_are_not_there(api: Api, ada: Person) -> None:
    await invite(ada)
    (asked,) = await ada.items("/invitations")
    me = ada.tokens["user"]["id"]
    async with api.person() as eve:
        assert [one["email"] for one in await eve.items("/members")] == [eve.email]
        assert await eve.items("/invitations") == []
        for answer in (
            await eve.http.patch(f"/members/{me}", json={"role": "member"}),
            await eve.http.delete(f"/members/{me}"),
            await eve.http.delete(f"/invitations/{asked['id']}"),
        ):
            assert answer.status_code == 404
    assert len(await ada.items("/invitations")) == 1


async def test_where_registration_is_by_invitation_only_the_invited_come_in(
    platform: Platform, seal_directory: Path
) -> None:
    async with running_api(platform, seal_directory) as api, api.person() as ada:
        token, other = await invite(ada), await invite(ada, "other@example.org")
        registration = {"email": "new@example.org", "password": PASSWORD}
        for mode, joined in (("invite", 200), ("closed", 403)):
            async with (
                running_api(platform, seal_directory, registration=mode) as later,
                later.client() as client,
            ):
                answer = await client.post("/auth/register", json=registration)
                assert answer.json()["code"] == "registration_closed"
                answer = await client.post(
                    "/auth/accept-invitation",
                    json={"token": token if joined == 200 else other, "password": PASSWORD},
                )
                assert answer.status_code == joined, answer.text

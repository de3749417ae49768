"""Who may do what: roles, scopes, API tokens."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import get

from services.api.domain.rights import SCOPES_OF, Role, Scope, may_appoint, scopes_of
from services.api.domain.tokens import secret_hash
from services.api.http.scopes import Undeclared, needs, refuse_undeclared
from shared.contracts.ids import Kind, shown
from tests.api.conftest import Api, Person, an_account
from tests.api.mail import Ground

EVERY = [scope.value for scope in Scope]


@asynccontextmanager
async def program(
    api: Api, person: Person, scopes: list[str], **more: Any
) -> AsyncGenerator[httpx.AsyncClient]:
    """A client that speaks by an API token of somebody's."""
    answer = await person.http.post("/tokens", json={"name": "x", "scopes": scopes, **more})
    assert answer.status_code == 201, answer.text
    async with api.client(Authorization=f"Bearer {answer.json()['secret']}") as client:
        yield client


async def routes(client: httpx.AsyncClient) -> Iterator[tuple[str, str, list[str]]]:
    """Every operation behind signing in, with ids that lead nowhere, and what it needs."""
    document = (await client.get("/openapi.json")).json()
    return (
        (
            method,
            path.removeprefix("/api/v1").replace("{number}", "1").format_map(_Nowhere()),
            operation["security"][0]["bearer"],
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation["security"]
    )


class _Nowhere(dict[str, str]):
    def __missing__(self, name: str) -> str:
        kinds = {kind.name.lower(): kind for kind in Kind}
        return shown(kinds.get(name.removesuffix("_id"), Kind.MESSAGE), uuid4())


def is_kept_out(answer: httpx.Response) -> bool:
    if answer.headers.get("content-type") != "application/problem+json":
        return False
    return (answer.status_code, answer.json()["code"]) == (403, "not_permitted")


async def test_every_route_says_what_it_needs(api: Api) -> None:
    async with api.client() as client:
        document = (await client.get("/openapi.json")).json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            declared = operation.get("security")
            assert declared is not None, (method, path)
            for each in declared:
                (names,) = each.values()
                assert set(names) <= {"session", *EVERY}, (method, path)


def test_a_route_that_says_nothing_keeps_the_gateway_from_starting() -> None:
    from litestar import Litestar

    @get("/secret")
    async def secret() -> str:
        return "x"

    @get("/known", security=needs())
    async def known() -> str:
        return "x"

    refuse_undeclared(Litestar([known], openapi_config=None))
    with pytest.raises(Undeclared):
        refuse_undeclared(Litestar([known, secret], openapi_config=None))


async def test_a_token_without_a_routes_scope_is_kept_out_of_it_and_with_it_is_not(
    api: Api, ada: Person
) -> None:
    for scope in EVERY:
        others = [each for each in EVERY if each != scope]
        async with (
            program(api, ada, others) as without,
            program(api, ada, [scope]) as with_it,
        ):
            for method, path, needed in await routes(ada.http):
                if scope not in needed:
                    continue
                answer = await without.request(method, path)
                assert is_kept_out(answer), (method, path, answer.text)
                if needed == [scope]:
                    answer = await with_it.request(method, path)
                    assert not is_kept_out(answer), (method, path)


async def test_what_is_for_people_no_token_does(api: Api, ada: Person) -> None:
    async with program(api, ada, EVERY) as client:
        asked = 0
        for method, path, needed in await routes(ada.http):
            if "session" in needed:
                answer = await client.request(method, path)
                assert is_kept_out(answer), (method, path, answer.text)
                asked += 1
    assert asked > 5
    assert (await ada.http.get("/me")).status_code == 200, "nobody was signed out"


async def test_who_may_only_read_changes_nothing(api: Api, ada: Person, ground: Ground) -> None:
    await ada.may_from_now_on(api, "read_only")
    assert [account["name"] for account in await ada.items("/accounts")] == ["Ada"]
    for method, path, needed in await routes(ada.http):
        if set(needed) - {"session", "mail:read", "events:read"}:
            answer = await ada.http.request(method, path)
            assert is_kept_out(answer), (method, path, answer.text)
    assert (await ada.http.get("/me")).json()["scopes"] == ["events:read", "mail:read"]


async def test_a_token_never_may_more_than_who_made_it(api: Api, ada: Person) -> None:
    async with program(api, ada, ["account:admin", "mail:read"]) as client:
        assert (await client.post("/accounts", json=an_account())).status_code == 201
        await ada.may_from_now_on(api, "read_only")
        assert is_kept_out(await client.post("/accounts", json=an_account()))
        assert (await client.get("/accounts")).status_code == 200
    answer = await ada.http.post("/tokens", json={"name": "x", "scopes": ["mail:write"]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/scopes/0"


async def test_a_bound_token_sees_its_accounts_and_connects_none(
    api: Api, ada: Person, ground: Ground
) -> None:
    other = await ada.connects(name="Other")
    bound = [shown(Kind.ACCOUNT, other.account_id)]
    async with program(api, ada, EVERY, account_ids=bound) as client:
        accounts = (await client.get("/accounts")).json()["items"]
        assert [account["id"] for account in accounts] == bound
        hidden = await client.get(f"/accounts/{shown(Kind.ACCOUNT, ground.account_id)}")
        assert hidden.status_code == 404
        assert is_kept_out(await client.post("/accounts", json=an_account()))
    async with api.person() as eve:
        answer = await eve.http.post(
            "/tokens", json={"name": "x", "scopes": ["mail:read"], "account_ids": bound}
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/account_ids/0"


async def test_a_token_is_listed_by_its_beginning_and_kept_as_a_hash(api: Api, ada: Person) -> None:
    made = (await ada.http.post("/tokens", json={"name": "Backup", "scopes": EVERY})).json()
    secret = made["secret"]
    assert secret.startswith(made["token"]["prefix"])
    listed = await ada.http.get("/tokens")
    assert secret not in listed.text
    (token,) = listed.json()["items"]
    assert (token["name"], token["used_at"], token["used_from"]) == ("Backup", None, None)
    (row,) = await api.rows("api_token", "token_id")
    assert row["token_hash"] == secret_hash(secret)
    assert secret not in str(row)

    async with api.client(Authorization=f"Bearer {secret}") as client:
        me = (await client.get("/me")).json()
        assert (me["email"], me["token_id"]) == (ada.email, token["id"])
        (token,) = await ada.items("/tokens")
        assert token["used_at"] is not None
        assert token["used_from"] == "127.0.0.1"

        assert (await ada.http.delete(f"/tokens/{token['id']}")).status_code == 204
        assert (await client.get("/me")).status_code == 401
    assert (await ada.http.delete(f"/tokens/{token['id']}")).status_code == 404


async def test_a_token_ends_when_it_was_said_to(api: Api, ada: Person) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    past = await ada.http.post(
        "/tokens",
        json={"name": "x", "scopes": EVERY, "expires_at": "2020-01-01T00:00:00Z"},
    )
    assert past.json()["errors"][0]["code"] == "in_the_past"
    async with program(api, ada, EVERY, expires_at=soon.isoformat()) as client:
        assert (await client.get("/me")).status_code == 200
        await api.admin.execute("UPDATE api.api_token SET expires_at = now()")
        assert (await client.get("/me")).status_code == 401


async def test_nobody_sees_or_takes_back_somebody_elses_tokens(api: Api, ada: Person) -> None:
    made = (await ada.http.post("/tokens", json={"name": "x", "scopes": EVERY})).json()
    async with api.person() as eve:
        assert await eve.items("/tokens") == []
        assert (await eve.http.delete(f"/tokens/{made['token']['id']}")).status_code == 404
    assert len(await ada.items("/tokens")) == 1


def test_a_scope_that_is_not_known_here_gives_nothing() -> None:
    assert scopes_of(Role.OWNER, ["mail:read", "moon:walk"]) == {Scope.MAIL_READ}
    assert scopes_of(Role.READ_ONLY, EVERY) == SCOPES_OF[Role.READ_ONLY]


def test_only_owners_make_owners() -> None:
    assert may_appoint(Role.OWNER, Role.OWNER)
    assert may_appoint(Role.ADMIN, Role.MEMBER)
    assert not may_appoint(Role.ADMIN, Role.OWNER)
    assert not may_appoint(Role.MEMBER, Role.READ_ONLY)

"""Paths people know from before lead to what they are called now."""

from pathlib import Path

import httpx
import pytest

from services.api.http.earlier import EARLIER, Earlier
from shared.contracts.ids import Kind, shown
from tests.api.conftest import PASSWORD, Api, Person
from tests.api.mail import Ground

DOCUMENT = Path(__file__).parents[2] / "docs/earlier-paths.md"


def root(client: httpx.AsyncClient) -> str:
    return str(client.base_url).removesuffix("/api/v1/")


@pytest.mark.parametrize("earlier", EARLIER, ids=lambda one: f"{one.method} {one.path}")
async def test_an_earlier_path_answers_as_its_new_name_does(
    ada: Person, ground: Ground, earlier: Earlier
) -> None:
    account = shown(Kind.ACCOUNT, ground.account_id)
    now = "/api/v1" + earlier.now.replace("{id}", account)

    async def ask(method: str, path: str) -> httpx.Response:
        # Wrong on purpose, where something would be changed: both refuse it the same way.
        return await ada.http.request(
            method, root(ada.http) + path, json=[] if method in ("POST", "PUT", "PATCH") else None
        )

    if earlier.method == "DELETE" or earlier.now.endswith((":check", ":test", "/logout")):
        account = "acc_" + "0" * 26
        now = "/api/v1" + earlier.now.replace("{id}", account)
    if "logout" in earlier.now:
        return  # both end the session; their names are the same
    before = await ask(earlier.method, earlier.path.replace("{id}", account))
    today = await ask(earlier.as_method, now)
    assert before.status_code == today.status_code
    assert before.status_code not in (405, 500)
    assert before.headers["link"] == f'<{now}>; rel="successor-version"'
    if before.status_code >= 400:
        assert before.json()["code"] == today.json()["code"]
        assert before.json().get("errors") == today.json().get("errors")


async def test_somebody_who_knows_the_earlier_paths_only_gets_along(api: Api, ada: Person) -> None:
    base = root(ada.http)
    signed_in = await ada.http.post(
        f"{base}/auth/login", json={"email": ada.email, "password": PASSWORD}
    )
    assert signed_in.status_code == 200
    ground = await ada.connects()
    account = shown(Kind.ACCOUNT, ground.account_id)
    renamed = await ada.http.put(f"{base}/api/accounts/{account}", json={"name": "Renamed"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "Renamed")
    sent = await ada.http.post(
        f"{base}/email/send", json={"account_id": account, "to": ["b@example.org"], "text": "Hi"}
    )
    assert sent.status_code == 202
    listed = await ada.http.get(f"{base}/email/inbox", params={"account_id": account})
    assert (listed.status_code, listed.json()["items"]) == (200, [])
    assert (await ada.http.delete(f"{base}/api/accounts/{account}")).status_code == 204
    for path in ("/api/nothing", "/email", "/auth/nothing", "/api/accounts/a/b/c"):
        assert (await ada.http.get(base + path)).json()["code"] == "not_found"


async def test_all_that_signing_in_is_about_has_its_earlier_paths(api: Api) -> None:
    async with api.client() as client:
        document = (await client.get("/openapi.json")).json()
    now = {path.removeprefix("/api/v1") for path in document["paths"] if "/auth/" in path}
    assert len(now) >= 10
    for before in ("", "/api"):
        known = {one.now for one in EARLIER if one.path == before + one.now}
        assert now <= known, before


def test_each_earlier_path_is_documented() -> None:
    said = DOCUMENT.read_text()
    for one in EARLIER:
        assert f"| `{one.method} {one.path}` | `{one.as_method} /api/v1{one.now}` |" in said

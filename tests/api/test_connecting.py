"""Links by which people connect their mailboxes, and consents as the api hands them on."""

import base64
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import msgspec
import pytest
import pytest_asyncio

from services.api.domain.consents import may_return_to, with_parameters
from shared.contracts.account import ConnectSender, ConnectSync
from shared.contracts.envelope import Problem, decode
from shared.contracts.ids import Kind, read
from shared.contracts.oauth import (
    ConfigureClient,
    RedeemCode,
    Redeemed,
    Redemption,
    belongs_to,
    secret_belongs_to,
)
from shared.seal import open_own
from tests.api.conftest import Api, Person, running_api
from tests.platform import Platform

AUTHORIZE = "https://login.example.org/authorize?tenant=all"
TOKEN = "https://login.example.org/token"
BACK = "https://crm.example.org/mailbox"


def a_provider(**more: Any) -> dict[str, Any]:
    return {
        "label": "Example <Mail>",
        "client_id": "postbus",
        "client_secret": "open-sesame",
        "authorization_endpoint": AUTHORIZE,
        "token_endpoint": TOKEN,
        "scopes": ["imap", "smtp"],
        "imap": {"host": "imap.example.org", "port": 993},
        "smtp": {"host": "smtp.example.org", "port": 465},
        **more,
    }


@pytest_asyncio.fixture(loop_scope="session")
async def browser(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a browser and no account here."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api.port}") as client:
        yield client


async def configure(ada: Person, name: str = "example", **more: Any) -> None:
    answer = await ada.http.put(f"/oauth-providers/{name}", json=a_provider(**more))
    assert answer.status_code == 200, answer.text
    assert "open-sesame" not in answer.text


async def make(ada: Person, **more: Any) -> dict[str, Any]:
    answer = await ada.http.post("/connect-links", json=more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def token_of(made: dict[str, Any]) -> str:
    return parse_qs(urlsplit(made["url"]).query)["link"][0]


async def begin(
    browser: httpx.AsyncClient, made: dict[str, Any], email: str = "ada@example.org"
) -> dict[str, str]:
    """Press the button; what the provider is asked."""
    form = {"link": token_of(made), "provider": "example", "email": email}
    answer = await browser.post("/connections/consent", data=form)
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith("https://login.example.org/authorize?")
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in asked.items()}


async def come_back(browser: httpx.AsyncClient, **given: str) -> httpx.Response:
    return await browser.get("/connections/callback", params=given)


async def told(api: Api, kind: type[Any]) -> list[Any]:
    rows = await api.admin.fetch(
        "SELECT body FROM api.outbox WHERE subject = $1 ORDER BY position", kind.channel
    )
    return [decode(row["body"], kind) for row in rows]


async def test_a_consent_is_sealed_for_sync_with_what_proves_who_began_it(
    api: Api, ada: Person, browser: httpx.AsyncClient
) -> None:
    await configure(ada)
    made = await make(ada, email="ada@example.org", name="Work")
    asked = await begin(browser, made)
    assert asked["tenant"] == "all", "what stands in the endpoint's own query stays"
    assert asked["redirect_uri"] == f"{browser.base_url}/connections/callback".replace("//c", "/c")
    assert asked["code_challenge_method"] == "S256"
    assert asked["login_hint"] == "ada@example.org"
    async with api.answering("sync", RedeemCode, Redeemed(username="Ada@example.org")) as queries:
        answer = await come_back(browser, code="the-code", state=asked["state"])
    assert answer.status_code == 200, answer.text
    assert "Ada@example.org is connected" in answer.text
    (query,) = queries
    what = belongs_to(ada.tenant_id, query.account_id, query.grant_id, "example")
    redemption = msgspec.json.decode(open_own(query.sealed, api.sync_keys, what), type=Redemption)
    assert redemption.code == "the-code"
    digest = hashlib.sha256(redemption.verifier.encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    (account,) = await ada.items("/accounts")
    assert (account["email"], account["name"]) == ("Ada@example.org", "Work")
    assert account["oauth_provider"] == "example"
    assert account["imap"]["username"] == "Ada@example.org"
    (sync,) = await told(api, ConnectSync)
    (sender,) = await told(api, ConnectSender)
    assert (sync.grant_id, sync.sealed) == (query.grant_id, b"")
    assert (sender.by_token, sender.sealed) == (True, b"")
    assert [one["type"] for one in await ada.events()] == [
        "account.created",
        "connect_link.completed",
    ]


async def test_a_clients_secret_is_sealed_for_sync_and_for_its_endpoint(
    api: Api, ada: Person
) -> None:
    await configure(ada)
    (command,) = await told(api, ConfigureClient)
    what = secret_belongs_to(ada.tenant_id, "example", "postbus", TOKEN)
    assert open_own(command.sealed_secret, api.sync_keys, what) == b"open-sesame"
    await configure(ada, client_secret=None, label="Other")
    (shown,) = (await ada.http.get("/oauth-providers")).json()["items"]
    assert (shown["label"], shown["has_secret"]) == ("Other", True)
    await configure(ada, client_secret=None, token_endpoint="https://evil.example/token")
    (shown,) = (await ada.http.get("/oauth-providers")).json()["items"]
    assert shown["has_secret"] is False
    assert (await ada.http.delete("/oauth-providers/example")).status_code == 204
    commands = await told(api, ConfigureClient)
    assert commands[-1].removed
    assert [one.version for one in commands] == sorted({one.version for one in commands})


async def test_providers_are_listed_with_ones_own_in_the_place_of_the_installations(
    platform: Platform, seal_directory: Path
) -> None:
    installed = {"oauth_google_client_id": "ours", "oauth_microsoft_client_id": "ours"}

    def seen(answer: httpx.Response) -> list[tuple[str, bool, str, bool | None]]:
        assert answer.status_code == 200, answer.text
        assert "open-sesame" not in answer.text
        shown = ("name", "own", "client_id", "has_secret")
        return [tuple(one[field] for field in shown) for one in answer.json()["items"]]

    async with (
        running_api(platform, seal_directory, **installed) as api,
        api.person() as ada,
        api.person() as eve,
    ):
        await configure(ada)
        await configure(ada, "google")
        microsoft = ("microsoft", False, "ours", None)
        google = ("google", False, "ours", None)
        assert seen(await ada.http.get("/oauth-providers")) == [
            ("example", True, "postbus", True),
            ("google", True, "postbus", True),
            microsoft,
        ]
        assert seen(await eve.http.get("/oauth-providers")) == [google, microsoft]
        assert (await ada.http.delete("/oauth-providers/google")).status_code == 204
        left = seen(await ada.http.get("/oauth-providers"))
        assert left == [("example", True, "postbus", True), google, microsoft]
        made = await ada.http.post("/tokens", json={"name": "x", "scopes": ["mail:read"]})
        ada.http.headers["Authorization"] = f"Bearer {made.json()['secret']}"
        assert (await ada.http.get("/oauth-providers")).status_code == 403


async def test_an_answer_counts_once_and_in_the_browser_that_began(
    api: Api, ada: Person, browser: httpx.AsyncClient
) -> None:
    await configure(ada)
    made = await make(ada, email="ada@example.org")
    asked = await begin(browser, made)
    async with httpx.AsyncClient(base_url=browser.base_url) as other:
        answer = await come_back(other, code="stolen", state=asked["state"])
        assert answer.status_code == 410
    refused = Redeemed(problem=Problem(code="code_refused"))
    async with api.answering("sync", RedeemCode, refused) as queries:
        answer = await come_back(browser, code="one", state=asked["state"])
        assert answer.status_code == 422
        answer = await come_back(browser, code="one", state=asked["state"])
        assert answer.status_code == 410
    assert len(queries) == 1
    assert await ada.items("/accounts") == []
    again = await begin(browser, made)
    async with api.answering("sync", RedeemCode, Redeemed(username="ada@example.org")):
        assert (await come_back(browser, code="two", state=again["state"])).status_code == 200
    assert (await browser.get("/connections/new", params={"link": token_of(made)})).status_code == (
        410
    )


async def test_a_link_ends_by_time_by_hand_and_with_who_made_it(
    api: Api, ada: Person, browser: httpx.AsyncClient
) -> None:
    await configure(ada)

    async def opens(made: dict[str, Any]) -> int:
        answer = await browser.get("/connections/new", params={"link": token_of(made)})
        return answer.status_code

    old, removed, left = [await make(ada) for _ in range(3)]
    await api.admin.execute(
        "UPDATE api.connect_link SET expires_at = now() WHERE link_id = $1",
        read(Kind.CONNECT_LINK, old["id"]),
    )
    assert await opens(old) == 410
    assert (await ada.http.delete(f"/connect-links/{removed['id']}")).status_code == 204
    assert await opens(removed) == 410
    assert await opens(left) == 200
    await ada.may_from_now_on(api, "read_only")
    assert await opens(left) == 410


async def test_the_page_runs_nothing_and_asks_nobody_else(
    ada: Person, browser: httpx.AsyncClient
) -> None:
    await configure(ada)
    await ada.http.patch("/tenant", json={"name": "<script>alert(1)</script>"})
    made = await make(ada, email="ada@example.org")
    answer = await browser.get("/connections/new", params={"link": token_of(made)})
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://login.example.org;" in policy + ";"
    assert "script" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script" not in answer.text
    assert "Example &lt;Mail&gt;" in answer.text
    assert 'value="ada@example.org"' in answer.text
    (cookie,) = [one for one in browser.cookies.jar if one.name == "postbus-connect"]
    assert cookie.has_nonstandard_attr("HttpOnly")


async def test_only_providers_that_the_link_allows_are_offered(
    ada: Person, browser: httpx.AsyncClient
) -> None:
    await configure(ada)
    await configure(ada, "another", label="Another")
    made = await make(ada, providers=["another"], password_allowed=False)
    answer = await browser.get("/connections/new", params={"link": token_of(made)})
    assert "Another" in answer.text
    assert "Example" not in answer.text
    assert "password" not in answer.text.lower().replace("your password is not seen here", "")
    form = {"link": token_of(made), "provider": "example", "email": "ada@example.org"}
    assert (await browser.post("/connections/consent", data=form)).status_code == 422
    answer = await ada.http.post("/connect-links", json={"providers": ["nobody"]})
    assert (answer.status_code, answer.json()["code"]) == (422, "oauth_provider_unknown")


async def test_people_are_led_only_where_the_tenant_said(
    api: Api, ada: Person, browser: httpx.AsyncClient
) -> None:
    await configure(ada)
    answer = await ada.http.post("/connect-links", json={"return_url": BACK})
    assert (answer.status_code, answer.json()["code"]) == (422, "return_url_refused")
    ours = httpx.URL((await make(ada))["url"]).copy_with(path="/mail/inbox", query=None)
    assert (await make(ada, return_url=str(ours)))["return_url"] == str(ours)
    alike = ours.copy_with(scheme="https", host=f"{ours.host}.example.org")
    answer = await ada.http.post("/connect-links", json={"return_url": str(alike)})
    assert (answer.status_code, answer.json()["code"]) == (422, "return_url_refused")
    answer = await ada.http.put("/tenant/connect-return-urls", json={"urls": [BACK]})
    assert answer.json() == (await ada.http.get("/tenant/connect-return-urls")).json()
    made = await make(ada, return_url=f"{BACK}?user=42")
    asked = await begin(browser, made)
    answer = await come_back(browser, error="access_denied", state=asked["state"])
    assert answer.headers["location"] == (
        f"{BACK}?user=42&connect_status=failed&reason=access_denied"
    )
    asked = await begin(browser, made)
    async with api.answering("sync", RedeemCode, Redeemed(username="ada@example.org")):
        answer = await come_back(browser, code="c", state=asked["state"])
    (account,) = await ada.items("/accounts")
    assert answer.headers["location"] == (
        f"{BACK}?user=42&connect_status=connected&connect_link_id={made['id']}"
        f"&account_id={account['id']}"
    )


async def test_a_link_for_an_account_connects_that_one_again(
    api: Api, ada: Person, browser: httpx.AsyncClient
) -> None:
    await configure(ada)
    ground = await ada.connects()
    (before,) = await ada.items("/accounts")
    made = await make(ada, account_id=before["id"])
    asked = await begin(browser, made)
    async with api.answering("sync", RedeemCode, Redeemed(username="ada@example.org")) as queries:
        await come_back(browser, code="c", state=asked["state"])
    assert queries[0].account_id == ground.account_id
    (after,) = await ada.items("/accounts")
    assert after["id"] == before["id"]
    assert after["oauth_provider"] == "example"
    assert [one.version for one in await told(api, ConnectSync)] == [1, 2]
    # And by passwords again, for both servers or for none.
    server = {"host": "imap.example.org", "password": "open-sesame"}
    answer = await ada.http.patch(f"/accounts/{after['id']}", json={"imap": server})
    assert (answer.status_code, answer.json()["code"]) == (422, "secret_required")
    answer = await ada.http.patch(
        f"/accounts/{after['id']}", json={"imap": server, "smtp": {"password": "open-sesame"}}
    )
    assert answer.json()["oauth_provider"] is None
    commands = await told(api, ConnectSync)
    assert (commands[-1].version, commands[-1].grant_id) == (3, None)


async def test_nobody_makes_links_for_accounts_of_others(api: Api, ada: Person) -> None:
    await ada.connects()
    (account,) = await ada.items("/accounts")
    async with api.person() as eve:
        answer = await eve.http.post("/connect-links", json={"account_id": account["id"]})
        assert answer.status_code == 404
        made = await make(ada)
        assert (await eve.http.get(f"/connect-links/{made['id']}")).status_code == 404
        assert (await eve.http.delete(f"/connect-links/{made['id']}")).status_code == 404


async def test_of_a_link_only_the_hash_is_kept(api: Api, ada: Person) -> None:
    made = await make(ada, email="ada@example.org")
    (row,) = await api.admin.fetch("SELECT connect_link::text AS shown FROM api.connect_link")
    assert token_of(made) not in row["shown"]
    assert UUID(str(read(Kind.CONNECT_LINK, made["id"])))


@pytest.mark.parametrize(
    ("url", "may"),
    [
        (BACK, True),
        (BACK + "?a=b", True),
        ("https://CRM.example.org/mailbox", True),
        (BACK + "/more", False),
        ("https://crm.example.org.evil.example/mailbox", False),
        ("https://crm.example.org@evil.example/mailbox", False),
        ("http://crm.example.org/mailbox", False),
        ("javascript:alert(1)//crm.example.org/mailbox", False),
        ("//crm.example.org/mailbox", False),
        (BACK + "#fragment", False),
    ],
)
def test_an_address_is_one_of_those_allowed_or_it_is_not(url: str, may: bool) -> None:
    assert may_return_to(url, [BACK]) is may


def test_what_is_added_to_an_address_cannot_be_said_before() -> None:
    led = with_parameters(f"{BACK}?connect_status=connected&a=1", {"connect_status": "failed"})
    assert led == f"{BACK}?a=1&connect_status=failed"

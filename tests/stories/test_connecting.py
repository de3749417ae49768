"""An API user's link, followed in a real browser, ends in an account that reads and sends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import nats
import pytest
import pytest_asyncio
from nats.aio.msg import Msg
from playwright.async_api import Browser, Page, async_playwright

from shared.contracts.envelope import unpack
from tests.api.browser import CHROMIUM
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import ServerFailed
from tests.servers.provider import CLIENT_ID, CLIENT_SECRET, SCOPES, Provider
from tests.stories.stack import Stack, until
from tests.stories.test_secrets import dumped, forms, holding, in_a_dump
from tests.stories.walk import until_state

pytestmark = pytest.mark.story

RAW = b"From: bob@example.org\r\nSubject: Welcome\r\n\r\nHello\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context()
    context.set_default_timeout(60_000)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    await context.close()
    assert [one for one in wrong if "Content Security Policy" in one] == []


async def configured(
    stack: Stack,
    person: httpx.AsyncClient,
    provider: Provider,
    dovecot: Dovecot,
    postfix: Postfix,
) -> str:
    """This tenant's own client at the provider; where links may lead."""
    provider.redirect_uris = [f"{stack.url}/connections/callback"]
    back = f"{stack.url}/health"
    answer = await person.put(
        "/oauth-providers/test",
        json={
            "label": "Test Mail",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "authorization_endpoint": provider.authorization_endpoint,
            "token_endpoint": provider.token_endpoint,
            "revocation_endpoint": provider.revocation_endpoint,
            "scopes": list(SCOPES),
            "imap": {"host": "127.0.0.1", "port": dovecot.imap_port, "security": "none"},
            "smtp": {"host": "127.0.0.1", "port": postfix.submission_port, "security": "none"},
        },
    )
    assert answer.status_code == 200, answer.text
    assert CLIENT_SECRET not in answer.text
    answer = await person.put("/tenant/connect-return-urls", json={"urls": [back]})
    assert answer.status_code == 200, answer.text
    return back


async def link(person: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await person.post("/connect-links", json=more)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def followed(page: Page, url: str, back: str) -> dict[str, str]:
    """Somebody opens the link, consents, and is led back; what they bring."""
    await page.goto(url)
    await page.get_by_role("button", name="Continue with Test Mail").click()
    await page.get_by_role("heading", name="Test Mail").wait_for()
    await page.get_by_role("button", name="Allow").click()
    await page.wait_for_url(f"{back}?**")
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


async def until_kicked_to(
    person: httpx.AsyncClient, account: str, state: str, dovecot: Dovecot, user: str
) -> dict[str, Any]:
    """The account once every session of it has ended, and none began anew."""

    async def check() -> dict[str, Any] | None:
        with contextlib.suppress(ServerFailed):  # nobody is there just now
            await asyncio.to_thread(dovecot.doveadm, "kick", user)
        found = (await person.get(f"/accounts/{account}")).json()
        return found if found["state"] == state else None

    return await until(f"{account} is {state}", check)


async def test_a_link_followed_in_a_browser_ends_in_an_account_that_reads_and_sends(
    stack: Stack,
    person: httpx.AsyncClient,
    page: Page,
    provider: Provider,
    token_dovecot: Dovecot,
    token_postfix: Postfix,
) -> None:
    said: list[bytes] = []
    shown: list[bytes] = []
    before = len(provider.tokens)

    async def tap(message: Msg) -> None:
        said.append(unpack(message.data) + repr(message.headers).encode())

    async def note(answer: httpx.Response) -> None:
        await answer.aread()
        if answer.request.url.path != "/api/v1/connect-links":  # which shows a link, once
            shown.append(answer.content)

    person.event_hooks["response"].append(note)
    user, bob = token_dovecot.new_user("ada"), token_dovecot.new_user("bob")
    token_dovecot.append(user, "INBOX", [RAW])
    back = await configured(stack, person, provider, token_dovecot, token_postfix)
    bus = await nats.connect(stack.bus_admin_url)
    try:
        await bus.subscribe(">", cb=tap)
        await bus.flush()

        made = await link(person, email=user, return_url=f"{back}?user=42")
        brought = await followed(page, made["url"], back)
        assert brought["connect_status"] == "connected"
        assert brought["user"] == "42"
        account = brought["account_id"]
        live = await until_state(person, account, "live")
        assert live["oauth_provider"] == "test"
        assert live["email"] == user

        answer = await person.post(
            "/submissions",
            json={"account_id": account, "to": [bob], "subject": "Hi", "text": "x"},
        )
        assert answer.status_code in (200, 201, 202), answer.text

        async def delivered() -> bool:
            return len(await asyncio.to_thread(token_dovecot.messages, bob)) == 1

        await until("the message is with Bob", delivered)

        used = (await person.get(f"/connect-links/{made['id']}")).json()
        assert used["connected_account_id"] == account
        events = (await person.get("/events", params={"after": "earliest"})).json()["items"]
        completed = [one for one in events if one["type"] == "connect_link.completed"]
        assert [one["data"]["account_id"] for one in completed] == [account]
        await page.goto(made["url"])
        await page.get_by_role("alert").wait_for()  # it was good once
        shown.append((await page.content()).encode())

        # The person changes their mind, and then again.
        provider.withdraw(user)
        ill = await until_kicked_to(person, account, "reauth_required", token_dovecot, user)
        assert ill["reason"] == "consent_ended"
        again = await link(person, account_id=account, email=user, return_url=back)
        brought = await followed(page, again["url"], back)
        assert brought["account_id"] == account
        await until_state(person, account, "live")

        # The provider says back in the clear what it was told, and is told so no more.
        for path, method in (("profile", "PUT"), ("budget", "GET"), ("profile", "GET")):
            body = {"connections": 2} if method == "PUT" else None
            answer = await person.request(method, f"/accounts/{account}/{path}", json=body)
            assert answer.status_code == 200, answer.text
        provider.repeats = True
        provider.expire(user)
        ill = await until_kicked_to(person, account, "auth_failed", token_dovecot, user)
        assert ill["reason"] == "oauth_client_refused"
        await person.post(f"/accounts/{account}:test")
        provider.repeats = False
        assert provider.is_consented(user)
        assert (await person.delete(f"/accounts/{account}")).is_success

        async def revoked() -> bool:
            return not provider.is_consented(user)

        await until("the consent has ended at its provider", revoked)
        await bus.flush()
    finally:
        await bus.close()

    links = [one["url"].partition("link=")[2] for one in (made, again)]
    cookies = [one.get("value", "") for one in await page.context.cookies()]
    secrets = [*provider.tokens[before:], CLIENT_SECRET, *links, *filter(None, cookies)]
    assert len(secrets) > 8
    needles = [needle for one in secrets for needle in forms(one)]
    assert any(user.encode() in one for one in said), "the tap heard nothing of the account"
    assert any(user.encode() in one for one in shown), "nothing of the account was shown"
    assert not [one for one in (*said, *shown) for needle in needles if needle in one]
    dump = await dumped(stack)
    assert not [row for row in dump for needle in in_a_dump(needles) if needle in row]
    assert holding(stack.home, needles) == []


async def test_who_does_not_agree_connects_nothing_and_may_begin_again(
    stack: Stack,
    person: httpx.AsyncClient,
    page: Page,
    provider: Provider,
    token_dovecot: Dovecot,
    token_postfix: Postfix,
) -> None:
    user = token_dovecot.new_user()
    await configured(stack, person, provider, token_dovecot, token_postfix)
    made = await link(person, email=user, password_allowed=False)
    await page.goto(made["url"])
    await page.get_by_role("button", name="Continue with Test Mail").click()
    await page.get_by_role("button", name="Deny").click()
    await page.get_by_role("alert").wait_for()
    await page.get_by_text("open the link once more").wait_for()
    assert (await person.get("/accounts")).json()["items"] == []
    await page.goto(made["url"])
    await page.get_by_role("button", name="Continue with Test Mail").click()
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_role("status").wait_for()
    (account,) = (await person.get("/accounts")).json()["items"]
    await until_state(person, account["id"], "live")


async def test_a_password_is_enough_where_the_link_allows_it(
    stack: Stack,
    person: httpx.AsyncClient,
    browser: Browser,
    dovecot: Dovecot,
    postfix: Postfix,
) -> None:
    user = dovecot.new_user()
    made = await link(person, email=user)
    # The page offers TLS and STARTTLS only: what is in the clear goes by the form alone.
    async with httpx.AsyncClient(base_url=stack.url) as client:
        form = {
            "link": parse_qs(urlsplit(made["url"]).query)["link"][0],
            "email": user,
            "password": "wrong",
            "imap_host": "127.0.0.1",
            "imap_port": str(dovecot.imap_port),
            "imap_security": "none",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(postfix.submission_port),
            "smtp_security": "none",
        }
        answer = await client.post("/connections/password", data=form, timeout=60)
        assert answer.status_code == 422
        assert "IMAP" in answer.text
        assert "The server did not let us in" in answer.text
        assert "wrong" not in answer.text.replace('class="wrong"', "").replace(".wrong", "")
        answer = await client.post(
            "/connections/password", data={**form, "password": dovecot.password}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        assert "is connected" in answer.text
    (account,) = (await person.get("/accounts")).json()["items"]
    await until_state(person, account["id"], "live")

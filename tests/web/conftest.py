"""The webmail as it is built, served by the whole platform, in a real browser."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from infra.dev import web
from tests.api.browser import CHROMIUM
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, running_stack

expect.set_options(timeout=30_000)  # what is expected comes as soon as it is there

PASSWORD_HERE = "correct horse battery"
WIDE = {"width": 1360, "height": 860}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(dovecot: Dovecot, postfix: Postfix) -> AsyncIterator[Stack]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    web.install()
    if not web.is_current():
        web.build()
    system_mail = {
        "API_SYSTEM_SMTP_HOST": "127.0.0.1",
        "API_SYSTEM_SMTP_PORT": str(postfix.submission_port),
        "API_SYSTEM_SMTP_SECURITY": "none",
        "API_SYSTEM_SMTP_USERNAME": dovecot.new_user(),
        "API_SYSTEM_SMTP_PASSWORD": PASSWORD,
        "API_SYSTEM_MAIL_FROM": "postbus@postbus.test",
    }
    async with running_stack(None, POSTBUS_WEBMAIL="on", **system_mail) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(stack: Stack) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(stack: Stack, browser: Browser) -> AsyncIterator[Page]:
    async with another_browser(stack, browser) as opened:
        yield opened


@asynccontextmanager
async def another_browser(stack: Stack, browser: Browser) -> AsyncGenerator[Page]:
    """A browser of its own in which nobody is signed in; an error in a page fails the test."""
    context = await browser.new_context(
        base_url=stack.url, viewport={"width": WIDE["width"], "height": WIDE["height"]}
    )
    context.set_default_timeout(60_000)
    opened = await context.new_page()
    wrong: list[str] = []
    elsewhere: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if _is_fault(said) else None)
    opened.on(
        "request",
        # A browser's own pages (its viewer of PDF) are nowhere else.
        lambda request: (
            elsewhere.append(request.url)
            if request.url.startswith("http") and not request.url.startswith(f"{stack.url}/")
            else None
        ),
    )
    yield opened
    await context.close()
    assert wrong == []
    assert elsewhere == []


def _is_fault(said: ConsoleMessage) -> bool:
    """What a page says when something is wrong with it; a request that is refused is none."""
    return said.type == "error" and not said.text.startswith("Failed to load resource")


async def sign_up(page: Page) -> str:
    """Somebody new, as they come in by the front door; their address."""
    email = f"{uuid4().hex}@example.org"
    await page.goto("/")
    await page.get_by_role("link", name="Create an account").click()
    await page.get_by_label("Your name").fill("Ada")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD_HERE)
    await page.get_by_role("button", name="Create an account").click()
    await page.get_by_role("heading", name="Connect a mail account").wait_for()
    return email

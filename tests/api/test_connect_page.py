"""The page behind a connect link, in a real browser: no webmail, no mouse, no barrier."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from tests.api.browser import CHROMIUM
from tests.api.conftest import Api, Person
from tests.api.test_connecting import configure, make
from tests.web.walk import AXE, accessible, fits


@pytest_asyncio.fixture(loop_scope="session")
async def page(api: Api) -> AsyncIterator[Page]:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await running.new_page()
        page.set_default_timeout(60_000)
        yield page
        await running.close()


async def pressed_to(page: Page, name: str) -> None:
    """Tab until this has the focus."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if name in await page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent"
        ):
            return
    raise AssertionError(f"{name} cannot be reached by the keyboard")


async def judged(page: Page) -> None:
    await fits(page)
    if AXE.exists():
        await accessible(page)


async def test_servers_are_found_and_entered_by_the_keyboard_alone(ada: Person, page: Page) -> None:
    await configure(ada)
    made: dict[str, Any] = await make(ada)
    await page.goto(made["url"])
    await judged(page)
    await pressed_to(page, "Use a password instead")
    await page.keyboard.press("Enter")
    await pressed_to(page, "Your e-mail address")
    await page.keyboard.type("ada@gmail.com")
    await judged(page)
    await pressed_to(page, "Find my mail servers")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Do this first").wait_for()
    await judged(page)
    server = page.get_by_label("Server")
    assert [await one.input_value() for one in await server.all()] == [
        "imap.gmail.com",
        "smtp.gmail.com",
    ]
    assert await page.get_by_label("User name").input_value() == "ada@gmail.com"
    await pressed_to(page, "Password, or app password")
    await page.keyboard.type("open sesame")
    await pressed_to(page, "Find the servers of this address")


async def test_of_an_address_that_nobody_knows_the_servers_are_asked_for(
    ada: Person, page: Page
) -> None:
    made: dict[str, Any] = await make(ada)
    await page.goto(made["url"])
    await page.get_by_label("Your e-mail address").fill("ada@nowhere.invalid")
    await page.get_by_role("button", name="Find my mail servers").click()
    said = page.get_by_role("alert")
    await said.wait_for()
    assert "could not be found" in await said.inner_text() or "fill in" in await said.inner_text()
    await judged(page)

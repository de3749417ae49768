"""Make docs/screenshots anew, from a platform that runs with its demo mail.

    ./just up                                     # in another shell
    .venv/bin/python -m tests.web.screenshots http://127.0.0.1:8700

Each screen in light, in dark, and as narrow as a telephone.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.api.browser import CHROMIUM

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
EMAIL, PASSWORD = "demo@postbus.example", "demo-postbus"  # as `up` says
WIDE, NARROW = {"width": 1360, "height": 860}, {"width": 390, "height": 780}


@dataclass(frozen=True)
class Look:
    """How a screen is looked at."""

    name: str
    colours: Literal["light", "dark"]
    narrow: bool = False


LOOKS = (Look("light", "light"), Look("dark", "dark"), Look("narrow", "light", narrow=True))


async def signing_in(page: Page) -> None:
    await page.goto("/sign-in")
    await page.get_by_role("button", name="Sign in").wait_for()


async def mail(page: Page) -> None:
    await page.goto("/mail/inbox")
    await page.locator(".row").first.wait_for()


async def reading(page: Page) -> None:
    await mail(page)
    await page.locator(".row-link").nth(1).click()
    await page.locator(".message").first.wait_for()
    await page.wait_for_load_state("networkidle")


async def searching(page: Page) -> None:
    await mail(page)
    await page.get_by_role("combobox", name="Search mail").fill("is:unread newer_than:1y")
    await page.get_by_role("list", name="What is looked for").wait_for()
    await page.get_by_role("combobox", name="Search mail").blur()
    await page.wait_for_load_state("networkidle")


async def writing(page: Page) -> None:
    await mail(page)
    await page.keyboard.press("c")
    body = page.get_by_role("textbox", name="Message", exact=True)
    await body.wait_for()
    await page.get_by_label("To", exact=True).fill("Grace Hopper <grace@example.org>,")
    await page.get_by_label("Subject", exact=True).fill("Lunch on Friday")
    await body.fill("Dear Grace,\n\nshall we try the ramen place?\n\nAda")


async def drafts(page: Page) -> None:
    await page.goto("/drafts")
    await page.get_by_role("heading", name="Drafts and sending").wait_for()


def settings(section: str) -> Callable[[Page], Awaitable[None]]:
    async def shown(page: Page) -> None:
        await page.goto(f"/settings/{section}")
        await page.get_by_role("heading", level=2).first.wait_for()

    return shown


async def forgetting(page: Page) -> None:
    await page.goto("/forgot")
    await page.get_by_role("button", name="Send the link").wait_for()


async def invited(page: Page) -> None:
    await page.goto("/invitation#none")
    await page.get_by_role("button", name="Join").wait_for()


async def connecting(page: Page) -> None:
    await page.goto("/connect")
    await page.get_by_role("heading", name="Connect a mail account").wait_for()


async def keyboard(page: Page) -> None:
    await mail(page)
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()


SECTIONS = [
    "profile",
    "accounts",
    "identities",
    "notifications",
    "security",
    "tokens",
    "webhooks",
    "members",
]
SCREENS: dict[str, Callable[[Page], Awaitable[None]]] = {
    "list": mail,
    "mail": reading,
    "search": searching,
    "writing": writing,
    "drafts": drafts,
    **{f"settings-{one}": settings(one) for one in SECTIONS},
    "forgot": forgetting,
    "invitation": invited,
    "connect": connecting,
    "keyboard": keyboard,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="of the platform")
    parser.add_argument("--only", choices=sorted(SCREENS), help="this screen alone")
    given = parser.parse_args()
    asyncio.run(made(given.url, [given.only] if given.only else list(SCREENS)))
    return 0


async def made(url: str, screens: list[str]) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for look in LOOKS:
            await looked_at(browser, url, screens, look)
        await browser.close()


async def looked_at(browser: Browser, url: str, screens: list[str], look: Look) -> None:
    size = NARROW if look.narrow else WIDE
    context = await browser.new_context(
        base_url=url,
        color_scheme=look.colours,
        viewport={"width": size["width"], "height": size["height"]},
        reduced_motion="reduce",
    )
    context.set_default_timeout(60_000)
    page = await context.new_page()
    await signing_in(page)
    await page.screenshot(path=FOLDER / f"sign-in-{look.name}.png")
    await page.get_by_label("E-mail address").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator(".row").first.wait_for()
    for name in screens:
        await SCREENS[name](page)
        await expect(page.locator(".ghost")).to_have_count(0)
        await page.screenshot(path=FOLDER / f"{name}-{look.name}.png")
        await page.evaluate("localStorage.clear()")
    await context.close()


if __name__ == "__main__":
    sys.exit(main())

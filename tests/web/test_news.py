"""What happens elsewhere while the webmail is open: other people, and a server that goes away."""

import pytest
from playwright.async_api import Browser, Page, Request, expect

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack
from tests.web.walk import connect, letter, row

# Somebody looks at something else; what a browser would show them is written down.
ELSEWHERE = """
Object.defineProperty(document, "hidden", { get: () => true });
window.shown = [];
window.Notification = class {
    static permission = "default";
    static requestPermission() {
        this.permission = "granted";
        return Promise.resolve("granted");
    }
    constructor(title, { body }) { shown.push(`${title}: ${body}`); }
};
"""

pytestmark = pytest.mark.story


async def test_two_tenants_side_by_side_see_their_own_mail_and_news_only(
    page: Page, stack: Stack, browser: Browser, dovecot: Dovecot, postfix: Postfix
) -> None:
    beside = await browser.new_context(base_url=stack.url)
    beside.set_default_timeout(60_000)
    other = await beside.new_page()
    ada = await connect(page, dovecot, postfix, [letter("For Ada")])
    bob = await connect(other, dovecot, postfix, [letter("For Bob")])
    await row(page, "For Ada").get_by_role("link").click()
    await expect(page.get_by_role("heading", name="For Ada")).to_be_visible()

    dovecot.append(ada, "INBOX", [letter("News for Ada")])
    dovecot.append(bob, "INBOX", [letter("News for Bob")])
    await expect(row(page, "News for Ada")).to_have_count(1)
    await expect(row(other, "News for Bob")).to_have_count(1)
    await expect(row(page, "")).to_have_count(2)
    await expect(row(other, "")).to_have_count(2)
    await expect(row(page, "For Bob")).to_have_count(0)
    await expect(row(other, "for Ada")).to_have_count(0)

    # Who has the address of somebody else's message finds nothing there.
    await other.goto(page.url)
    await expect(other.get_by_role("alert")).to_be_visible()
    await expect(other.get_by_role("heading", name="For Ada")).to_have_count(0)
    await beside.close()


async def test_a_server_that_was_killed_is_found_again_and_tells_what_came_meanwhile(
    page: Page, stack: Stack, dovecot: Dovecot, postfix: Postfix
) -> None:
    streams: list[Request] = []
    page.on("request", lambda one: streams.append(one) if "/api/v1/events" in one.url else None)
    user = await connect(page, dovecot, postfix, [letter("Before")])
    dovecot.append(user, "INBOX", [letter("Heard live")])
    await expect(row(page, "Heard live")).to_have_count(1)

    stack.kill("api")
    await expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
    dovecot.append(user, "INBOX", [letter("While it was away")])
    gone = page.get_by_text("The server cannot be reached.")
    await expect(gone).to_have_count(0, timeout=60_000)
    await expect(row(page, "While it was away")).to_have_count(1)
    await expect(row(page, "")).to_have_count(3)
    headers = await streams[-1].all_headers()
    assert "last-event-id" in headers or "after=" in streams[-1].url, "it went on where it was"


async def test_two_tabs_show_the_same_and_new_mail_is_announced_to_who_looks_elsewhere(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    user = await connect(page, dovecot, postfix, [letter("Lunch"), letter("Invoice")])
    beside = await page.context.new_page()
    await beside.add_init_script(ELSEWHERE)
    await beside.goto("/settings/notifications")
    await beside.get_by_label("Show a notification").check()
    await expect(beside.get_by_label("Show a notification")).to_be_checked()
    await beside.get_by_role("link", name="To the inbox").click()
    await expect(row(beside, "")).to_have_count(2)

    await row(page, "Lunch").get_by_role("link").click()
    await expect(row(beside, "Lunch")).not_to_have_attribute("data-unread", "true")
    await page.keyboard.press("#")
    await expect(row(beside, "Lunch")).to_have_count(0)
    dovecot.append(user, "INBOX", [letter("It came by itself")])
    for tab in (page, beside):
        await expect(row(tab, "It came by itself")).to_have_count(1)
    assert await beside.evaluate("shown") == ["Grace Hopper: It came by itself"]

"""Labels in the webmail: keywords of any server, and the labels of Gmail."""

import pytest
from playwright.async_api import Page, expect

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import until
from tests.web.walk import accessible, connect, letter, row

pytestmark = pytest.mark.story


async def test_labels_are_given_by_keyboard_to_several_messages_and_taken_back_by_undo(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    user = await connect(page, dovecot, postfix, [letter("First"), letter("Second")])

    async def labelled(name: str, count: int) -> bool:
        return sum(name in flags for flags in dovecot.flags(user).values()) == count

    await page.get_by_role("link", name="First").click()
    await page.get_by_role("heading", name="First").wait_for()
    await page.keyboard.press("l")
    menu = page.get_by_role("dialog", name="Labels")
    find = menu.get_by_role("textbox", name="Find or make a label")
    await expect(find).to_be_focused()
    await page.keyboard.type("Später")
    await expect(menu.get_by_text("takes only plain letters")).to_be_visible()
    await find.fill("To read")
    await accessible(page)
    await page.keyboard.press("Enter")  # it is made, and ticked
    await expect(menu.get_by_role("checkbox", name="To read")).to_be_checked()
    await page.keyboard.press("Enter")
    await expect(menu).to_be_hidden()
    await expect(row(page, "First")).to_contain_text("To read")
    await expect(page.get_by_role("list", name="Labels")).to_contain_text("To read")
    await until("the server keeps it as a keyword", lambda: labelled("To_read", 1))

    # One of two has it: the box says so, and makes it the label of both.
    await page.keyboard.press("*")
    await page.keyboard.press("a")
    await page.get_by_role("button", name="Labels").click()
    box = menu.get_by_role("checkbox", name="To read")
    await expect(box).to_have_js_property("indeterminate", True)
    await box.check()
    await menu.get_by_role("button", name="Apply").click()
    await expect(page.locator(".row-label", has_text="To read")).to_have_count(2)
    await until("the server has both", lambda: labelled("To_read", 2))
    await page.get_by_role("button", name="Undo").last.click()
    await expect(page.locator(".row-label", has_text="To read")).to_have_count(1)
    await until("the server has one again", lambda: labelled("To_read", 1))

    await page.get_by_role("list", name="Labels").get_by_role("link", name="To read").click()
    await expect(page.get_by_role("heading", name="Search results")).to_be_visible()
    await expect(row(page, "First")).to_have_count(1)
    await expect(row(page, "Second")).to_have_count(0)

"""Looking for mail in the webmail."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.web.walk import connect, letter, row

pytestmark = pytest.mark.story


async def test_a_search_is_offered_understood_and_kept(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    letters = [letter("Lunch on Friday", text="Ramen?"), letter("Invoice"), letter("Big plans")]
    await connect(page, dovecot, postfix, letters)
    field = page.get_by_role("combobox", name="Search mail")
    chips = page.get_by_role("list", name="What is looked for").get_by_role("listitem")

    # An operator is offered as soon as it begins, and then what it takes.
    await field.click()
    await page.keyboard.type("lunch ha")
    await page.get_by_role("option", name="has:").click()
    await expect(field).to_have_value("lunch has:")
    await expect(page.get_by_role("option", name="has:attachment")).to_be_visible()
    await field.fill("lunch in:inb")
    await page.get_by_role("option", name="in:inbox").click()
    await expect(field).to_have_value("lunch in:inbox ")
    await expect(row(page, "")).to_have_count(1)
    await expect(chips).to_have_count(2)
    await expect(chips.nth(1)).to_contain_text("INBOX")

    # A term that is taken out finds more.
    await page.get_by_role("button", name=re.compile("^Without “lunch”")).click()
    await expect(field).to_have_value("in:inbox")
    await expect(row(page, "")).to_have_count(3)

    # What cannot be read says where.
    await field.fill("invoice (")
    await expect(page.get_by_role("heading", name="This search cannot be read")).to_be_visible()
    await expect(page.locator(".misread mark")).to_have_text("(")

    # What is kept is a mailbox, also after a reload.
    await field.fill("subject:invoice")
    await page.keyboard.press("Enter")
    await expect(row(page, "")).to_have_count(1)
    await page.get_by_role("button", name="Keep this search").click()
    await page.get_by_label("Name", exact=True).fill("What is due")
    await page.get_by_role("button", name="Keep", exact=True).click()
    await expect(page.get_by_role("heading", name="What is due", level=1)).to_be_visible()
    await page.reload()
    await page.get_by_role("link", name="What is due").click()
    await expect(row(page, "")).to_have_count(1)

    # What was looked for is offered again.
    await page.get_by_role("link", name="Inbox").click()
    await expect(row(page, "")).to_have_count(3)
    await field.click()
    await expect(page.get_by_role("option", name="subject:invoice")).to_be_visible()
    await page.get_by_role("link", name="What is due").click()
    await page.get_by_role("button", name="Keep no longer").click()
    await expect(page.get_by_role("link", name="What is due")).to_have_count(0)

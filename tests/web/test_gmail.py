"""An account at Gmail in the webmail: labels are what mail is filed by."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, expect

from tests.servers.hoodiecrow import Hoodiecrow
from tests.servers.postfix import Postfix
from tests.servers.process import ServerUnavailable, short_directory
from tests.stories.stack import until
from tests.web.conftest import sign_up
from tests.web.walk import accessible, fill_in, letter, row

pytestmark = [pytest.mark.story, pytest.mark.interop]


@pytest.fixture
def gmail() -> Iterator[Hoodiecrow]:
    try:
        Hoodiecrow.require()
    except ServerUnavailable as missing:
        pytest.skip(str(missing))
    with short_directory("postbus-gmail-") as directory, Hoodiecrow(directory) as server:
        yield server


async def test_mail_of_gmail_is_filed_by_labels(
    page: Page, gmail: Hoodiecrow, postfix: Postfix
) -> None:
    user = gmail.new_user()
    lunch = gmail.put(letter("Lunch on Friday"), "\\Inbox")
    gmail.put(letter("Invoice"), "\\Inbox")
    gmail.put(letter("Tickets"), "Work")

    async def is_in(*wanted: str) -> bool:
        return set(gmail.whereabouts(lunch)) == {*wanted, gmail.all_mail}

    await sign_up(page)
    await fill_in(page, user, gmail, postfix)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(row(page, "")).to_have_count(2)
    tree = page.get_by_role("navigation", name="Mailboxes")
    await accessible(page)

    # Labels stand in the tree by their names, and lead to their mail.
    await tree.get_by_role("link", name="Work").click()
    await expect(page.get_by_role("heading", name="Work")).to_be_visible()
    await expect(row(page, "")).to_have_count(1)
    await expect(row(page, "Tickets")).to_have_count(1)
    await tree.get_by_role("link", name="Inbox").click()
    await expect(row(page, "")).to_have_count(2)

    await page.get_by_role("link", name="Lunch on Friday").click()
    await page.get_by_role("heading", name="Lunch on Friday").wait_for()
    await page.keyboard.press("l")
    menu = page.get_by_role("dialog", name="Labels")
    await menu.get_by_role("checkbox", name="Work").check()
    await menu.get_by_role("button", name="Apply").click()
    await expect(row(page, "Lunch")).to_contain_text("Work")
    await until("Gmail has the label", lambda: is_in("INBOX", "Work"))

    # To archive is to take the label of the inbox away; the others stay.
    await page.keyboard.press("e")
    await expect(row(page, "Lunch")).to_have_count(0)
    await expect(row(page, "Invoice")).to_have_count(1)
    await until("Gmail has archived it", lambda: is_in("Work"))
    await tree.get_by_role("link", name="Work").click()
    await expect(row(page, "")).to_have_count(2)
    await page.get_by_role("button", name="Undo").last.click()
    await until("it is in the inbox again", lambda: is_in("INBOX", "Work"))
    await tree.get_by_role("link", name="Inbox").click()
    await expect(row(page, "")).to_have_count(2)

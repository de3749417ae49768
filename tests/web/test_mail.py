"""A day with the webmail, against real Dovecot and Postfix."""

import pytest
from playwright.async_api import Page, expect

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import until
from tests.web.conftest import sign_up
from tests.web.stillness import stands_still, watch
from tests.web.walk import accessible, connect, fill_in, fits, letter, row

pytestmark = pytest.mark.story

IN_REPLY = {"In-Reply-To": "<Lunch.on.Friday@postbus.test>"}
OTHERS = ("drafts", "connect", "sign-in", "sign-up", "forgot", "reset#none", "invitation#none")


async def test_somebody_new_reads_archives_undoes_and_finds(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    html = "<p>Shall we try the <b>ramen</b>?</p><script>parent.stolen = 1</script>"
    letters = [letter("Lunch on Friday", html=html), letter("Invoice", text="It is due.")]
    user = await connect(page, dovecot, postfix, letters)

    await page.get_by_role("link", name="Lunch on Friday").click()
    await expect(page.get_by_role("heading", name="Lunch on Friday")).to_be_visible()
    frame = page.frame_locator("iframe.frame")
    await expect(frame.get_by_text("ramen")).to_be_visible()
    assert await page.evaluate("window.stolen") is None
    await expect(row(page, "Lunch on Friday")).not_to_have_attribute("data-unread", "true")

    await page.keyboard.press("s")
    await expect(row(page, "Lunch").get_by_role("button", name="Remove the flag")).to_be_visible()
    await page.keyboard.press("#")
    await expect(row(page, "Lunch on Friday")).to_have_count(0)
    await page.get_by_role("button", name="Undo").click()
    await expect(row(page, "Lunch on Friday")).to_have_count(1)

    # With a message open: whoever types goes on typing while results come.
    await page.get_by_role("link", name="Lunch on Friday").click()
    await page.keyboard.press("/")
    await page.keyboard.type("subject:")
    await expect(page.get_by_role("heading", name="Search results")).to_be_visible()
    await page.keyboard.type("invoice")
    await expect(row(page, "Invoice")).to_have_count(1)
    await expect(row(page, "Lunch on Friday")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(row(page, "")).to_have_count(2)

    dovecot.append(user, "INBOX", [letter("It came by itself")])
    await expect(row(page, "It came by itself")).to_have_count(1)


async def test_what_is_chosen_is_dragged_to_a_mailbox_and_back_by_undo(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    subjects = ("First", "Second", "Third")
    user = await connect(page, dovecot, postfix, [letter(one) for one in subjects])
    tree = page.get_by_role("navigation", name="Mailboxes")
    await row(page, "").nth(0).get_by_role("checkbox").click()
    await row(page, "").nth(1).get_by_role("link").click(modifiers=["Shift"])
    await expect(page.get_by_text("2 selected")).to_be_visible()
    await row(page, "").nth(0).drag_to(tree.get_by_role("link", name="Archive"))
    await expect(row(page, "")).to_have_count(1)

    async def archived(count: int) -> bool:
        return len(dovecot.messages(user, "Archive")) == count

    await until("both are archived", lambda: archived(2))
    await page.get_by_role("button", name="Undo").click()
    await expect(row(page, "")).to_have_count(3)
    await until("both are back", lambda: archived(0))


async def test_a_whole_list_of_more_than_a_thousand_is_marked_and_taken_back(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [letter(f"Letter {number}") for number in range(1_050)])
    await sign_up(page)
    await fill_in(page, user, dovecot, postfix)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_label("1,050 unread messages")).to_be_visible()
    await expect(page).to_have_title("(1,050) Inbox – Postbus")  # what one sees of another tab
    await row(page, "").first.get_by_role("checkbox").click()
    await page.get_by_role("button", name="All shown").click()
    await page.get_by_role("button", name="All in this list").click()
    await page.get_by_role("button", name="Mark as read").click()
    await expect(page.get_by_role("status")).to_contain_text("for all 1,050 messages")
    await expect(page.get_by_label("unread messages")).to_have_count(0)
    await expect(page).to_have_title("Inbox – Postbus")

    async def seen(count: int) -> bool:
        flags = dovecot.flags(user).values()
        return sum("\\Seen" in one for one in flags) == count

    await until("the server has it", lambda: seen(1_050))
    await page.get_by_role("button", name="Undo").click()
    await until("the server has it back", lambda: seen(0))
    await expect(page.get_by_label("1,050 unread messages")).to_be_visible()


async def test_a_server_that_does_not_work_is_said_before_the_account_is_connected(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    await sign_up(page)
    await fill_in(page, dovecot.new_user(), dovecot, postfix)
    await page.get_by_label("Password of the mail account").fill("wrong")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_text("Incoming mail does not work yet")).to_be_visible()
    await page.get_by_label("Password of the mail account").fill(PASSWORD)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


async def test_servers_and_what_to_do_first_are_found_as_an_address_is_typed(page: Page) -> None:
    await sign_up(page)
    address = page.get_by_label("E-mail address")
    await address.fill("ada@gmail.com")
    await expect(page.get_by_text("This is mail of Google")).to_be_visible()
    await expect(page.get_by_text("Make an app password")).to_be_visible()
    incoming = page.get_by_role("group", name="Incoming mail (IMAP)")
    await expect(incoming).to_be_hidden()  # nobody has to look at them
    await page.get_by_text("Servers", exact=True).click()
    await expect(incoming.get_by_label("Server")).to_have_value("imap.gmail.com")
    await expect(incoming.get_by_label("User name")).to_have_value("ada@gmail.com")
    await accessible(page)
    await address.fill("ada@tuta.com")
    await expect(page.get_by_text("Tuta lets no other programs in")).to_be_visible()
    await address.fill("ada@nowhere.invalid")
    await expect(page.get_by_text("please enter them")).to_be_visible()
    await expect(incoming.get_by_label("Server")).to_have_value("imap.nowhere.invalid")


async def test_a_message_is_written_and_arrives(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    await connect(page, dovecot, postfix, [letter("Lunch on Friday")])
    other = dovecot.new_user()
    await page.get_by_role("button", name="New message").click()
    await page.get_by_label("To", exact=True).fill(f"Bob <{other}>,")
    await page.get_by_label("Subject").fill("From the webmail")
    await page.get_by_role("textbox", name="Message", exact=True).fill("Until Friday!")
    await page.reload()  # nothing is lost with the page
    await expect(page.get_by_label("Subject")).to_have_value("From the webmail")
    await expect(page.get_by_role("textbox", name="Message", exact=True)).to_have_text(
        "Until Friday!"
    )
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Message sent.")

    async def delivered() -> list[bytes]:
        return list(dovecot.messages(other).values())

    (received,) = await until("it is delivered", delivered)
    assert b"Subject: From the webmail" in received
    assert b"Until Friday!" in received


@pytest.mark.parametrize(("colours", "width"), [("light", 1360), ("dark", 390)])
async def test_every_screen_can_be_used_by_everybody_and_stands_still(
    page: Page, dovecot: Dovecot, postfix: Postfix, colours: str, width: int
) -> None:
    await page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    await page.goto("/sign-in")
    await page.get_by_role("button", name="Sign in").wait_for()
    await accessible(page)
    await fits(page)
    html = "<p>Shall we?</p>" * 20
    first = letter("Lunch on Friday", html=html)
    answer = letter("Re: Lunch on Friday", html=html, headers=IN_REPLY)
    await connect(page, dovecot, postfix, [first, answer, letter("Invoice")], rows=2)
    await accessible(page)
    await fits(page)
    await page.get_by_role("link", name="Lunch on Friday").click()
    await page.get_by_role("heading", name="Lunch on Friday").wait_for()
    await page.keyboard.press("c")
    await page.get_by_role("textbox", name="Message", exact=True).wait_for()
    await accessible(page)
    await fits(page)

    await page.set_viewport_size({"width": width, "height": 860})
    (newest, *_) = (await (await page.request.get("/api/v1/messages?role=inbox")).json())["items"]
    await watch(page)
    for address in ("mail/inbox", f"mail/inbox/{newest['id']}", "mail/inbox?q=is:read", *OTHERS):
        await stands_still(page, f"/{address}")

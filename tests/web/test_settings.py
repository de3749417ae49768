"""Settings, and the pages on which links of system mail land."""

import re
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, until
from tests.web.conftest import PASSWORD_HERE, another_browser, sign_up
from tests.web.stillness import stands_still, watch
from tests.web.test_composing import begin
from tests.web.walk import accessible, fits, letter, row

pytestmark = pytest.mark.story

SECTIONS = (
    "profile accounts identities notifications keyboard security tokens exports webhooks members"
)


async def sign_in(page: Page, email: str, password: str) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).not_to_have_url(re.compile("sign-in"))


async def mailed_link(dovecot: Dovecot, email: str, page: str) -> str:
    """Where the newest link to this page leads that was mailed to somebody, on this server."""

    async def link() -> str | None:
        for raw in reversed(dovecot.messages(email).values()):
            text = message_from_bytes(raw, policy=default).get_content()
            if found := re.search(rf"/{page}#\S+", text):
                return found[0]
        return None

    return await until(f"a link to {page}", link)


async def test_links_that_are_mailed_lead_where_they_say(page: Page, dovecot: Dovecot) -> None:
    email = await sign_up(page)
    await page.goto(await mailed_link(dovecot, email, "verify"))
    await expect(page.get_by_text("this address is yours")).to_be_visible()
    await accessible(page)
    await page.goto("/settings/profile")
    await expect(page.get_by_text("verified", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()

    await page.get_by_role("link", name="Forgot your password?").click()
    await page.get_by_label("E-mail address").fill(email)
    await accessible(page)
    await page.get_by_role("button", name="Send the link").click()
    await expect(page.get_by_role("status").first).to_contain_text("a link is on its way")
    await page.goto(await mailed_link(dovecot, email, "reset"))
    await page.get_by_label("New password").fill("short")
    await page.get_by_role("button", name="Choose this password").click()
    await expect(page.get_by_text("must have at least 8")).to_be_visible()
    await accessible(page)
    await page.get_by_label("New password").fill("another horse entirely")
    await page.get_by_role("button", name="Choose this password").click()
    await expect(page.get_by_text("From now on you sign in with your new")).to_be_visible()
    await sign_in(page, email, "another horse entirely")


async def test_somebody_who_is_invited_joins_is_appointed_and_let_go(
    page: Page, stack: Stack, browser: Browser, dovecot: Dovecot
) -> None:
    await sign_up(page)
    await page.goto("/settings/members")
    grace = dovecot.new_user()
    await page.get_by_label("E-mail address").fill(grace)
    await page.get_by_role("button", name="Invite", exact=True).click()
    await expect(page.get_by_text(f"{grace} gets a mail")).to_be_visible()
    async with another_browser(stack, browser) as hers:
        await hers.goto(await mailed_link(dovecot, grace, "invitation"))
        await hers.get_by_label("Your name").fill("Grace")
        await hers.get_by_label("Password").fill(PASSWORD_HERE)
        await accessible(hers)
        await hers.get_by_role("button", name="Join").click()
        await hers.get_by_role("heading", name="Connect a mail account").wait_for()
        await page.reload()
        await page.get_by_label("Role of Grace").select_option("admin")
        await hers.goto("/settings/members")
        await expect(hers.get_by_role("heading", name="Invite somebody")).to_be_visible()
        page.on("dialog", lambda dialog: dialog.accept())
        members = page.get_by_role("region", name="Members", exact=True)
        await members.get_by_role("button", name="Remove").click()
        await expect(members.get_by_text("Grace")).to_have_count(0)
        await hers.goto("/settings/profile")
        await hers.get_by_role("heading", name="Sign in").wait_for()


async def test_mail_is_taken_along_and_one_is_called_otherwise(page: Page, stack: Stack) -> None:
    await sign_up(page)
    await page.goto("/settings/exports")
    await expect(page.get_by_text("There are none.")).to_be_visible()
    await page.get_by_label("As").select_option("eml")
    await page.get_by_role("button", name="Make an export").click()
    rest = page.get_by_role("link", name="Everything but mail")
    async with page.expect_download() as download:
        await rest.click()
    assert (await download.value).suggested_filename.endswith(".zip")
    await accessible(page)
    await page.get_by_role("button", name="End").click()
    await expect(page.get_by_text("There are none.")).to_be_visible()

    await page.goto("/settings/profile")
    await page.get_by_label("Your name").fill("Ada King")
    await page.get_by_role("button", name="Save").first.click()
    await expect(page.locator("strong", has_text="Ada King")).to_be_visible()


async def test_who_must_show_first_that_an_address_is_theirs_is_told_so(page: Page) -> None:
    refused = {"code": "email_unverified", "status": 403, "title": "Forbidden", "detail": "First…"}
    email = await sign_up(page)
    await page.route("**/api/v1/accounts", lambda it: it.fulfill(status=403, json=refused))
    await page.goto("/mail/inbox")
    await expect(page.get_by_role("heading", name="Is this address yours?")).to_be_visible()
    await expect(page.get_by_text(f"a link to {email}")).to_be_visible()
    await accessible(page)
    await page.get_by_role("button", name="Send it again").click()
    await expect(page.get_by_role("status").first).to_contain_text("Sent again.")
    await page.unroute("**/api/v1/accounts")
    await page.get_by_role("button", name="I have opened it").click()
    await page.get_by_role("heading", name="Connect a mail account").wait_for()


async def test_what_one_gives_programs_is_made_and_taken_back(page: Page, stack: Stack) -> None:
    await sign_up(page)
    await page.goto("/settings/tokens")
    await page.get_by_label("What for").fill("A script")
    await page.get_by_role("button", name="Make a token").click()
    secret = await page.locator("code.secret").inner_text()
    async with httpx.AsyncClient(base_url=stack.url) as program:
        program.headers["Authorization"] = f"Bearer {secret}"
        assert (await program.get("/api/v1/accounts")).status_code == 200
        await page.get_by_role("button", name="Take back").click()
        await expect(page.get_by_text("There are none.")).to_be_visible()
        assert (await program.get("/api/v1/accounts")).status_code == 401

    await page.goto("/settings/webhooks")
    await page.get_by_label("Address (https)").fill("https://hooks.invalid/postbus")
    await page.get_by_role("button", name="Add a webhook").click()
    await expect(page.locator("code.secret")).to_contain_text("whsec_")
    hook = page.get_by_role("article", name="https://hooks.invalid/postbus")
    await hook.get_by_role("button", name="Test").click()
    attempt = hook.get_by_role("row").filter(has_text="webhook.test")
    await expect(attempt).to_contain_text("unreachable")
    await hook.get_by_role("button", name="Pause").click()
    await expect(hook.get_by_role("button", name="Resume")).to_be_visible()
    await accessible(page)


async def test_a_session_elsewhere_is_ended_and_the_password_changed(
    page: Page, stack: Stack, browser: Browser
) -> None:
    email = await sign_up(page)
    async with another_browser(stack, browser) as elsewhere:
        await sign_in(elsewhere, email, PASSWORD_HERE)
        await page.goto("/settings/security")
        sessions = page.get_by_role("region", name="Where you are signed in")
        await sessions.get_by_role("button", name="Sign out", exact=True).click()
        await expect(sessions.get_by_role("listitem")).to_have_count(1)
        await elsewhere.goto("/settings/security")
        await elsewhere.get_by_role("heading", name="Sign in").wait_for()
        await page.get_by_label("Password now").fill(PASSWORD_HERE)
        await page.get_by_label("New password").fill("another horse entirely")
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_text("You are signed out everywhere else")).to_be_visible()
        await sign_in(elsewhere, email, "another horse entirely")


async def test_an_account_is_tested_paused_and_has_addresses_with_signatures(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    _, user = await begin(page, dovecot, postfix)
    await page.goto("/settings/accounts")
    await page.get_by_role("button", name="Test", exact=True).click()
    await expect(page.get_by_role("status").first).to_contain_text("works")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_text("You paused it.")).to_be_visible()
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()

    await page.goto("/settings/identities")
    for_all = page.get_by_role("region", name="Signature of every address")
    await for_all.get_by_role("button", name="Edit").click()
    await for_all.get_by_role("textbox", name="Signature").fill("Yours, Ada")
    await for_all.get_by_role("button", name="Save").click()
    own = page.get_by_role("region", name=user)
    await expect(own).to_contain_text("The signature of every address without its own")
    await page.get_by_role("link", name="To the inbox").click()
    await page.get_by_role("button", name="New message").click()
    body = page.get_by_role("textbox", name="Message", exact=True)
    await expect(body).to_contain_text("Yours, Ada")
    await page.get_by_role("button", name="Close").click()

    await page.get_by_role("button", name="Settings").click()
    await page.get_by_role("link", name="Addresses and signatures").click()
    await own.get_by_role("button", name="Edit").click()
    await page.get_by_label("Your name").fill("Ada Lovelace")
    await page.get_by_role("textbox", name="Signature").fill("Countess")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text(f"Ada Lovelace <{user}>")).to_be_visible()
    await expect(page.get_by_text("Countess")).to_be_visible()
    await page.get_by_role("link", name="To the inbox").click()
    await page.get_by_role("button", name="New message").click()
    await expect(body).to_contain_text("Countess")
    await expect(body).not_to_contain_text("Yours, Ada")


async def test_what_somebody_likes_is_so_in_each_of_their_browsers(
    page: Page, stack: Stack, browser: Browser, dovecot: Dovecot, postfix: Postfix
) -> None:
    email, _ = await begin(page, dovecot, postfix, letter("Lunch on Friday"))
    await page.get_by_role("button", name="Settings").click()
    beside = await page.context.new_page()  # another tab
    await beside.goto("/mail/inbox")
    await expect(row(beside, "")).to_have_count(1)
    await page.get_by_label("Colours").select_option("Dark")
    await page.get_by_label("Rows").select_option("Compact")
    await page.get_by_label("Time zone").select_option("Pacific/Kiritimati")
    await page.get_by_label("Dates and numbers").select_option("German")
    await page.get_by_label("counts as read").select_option("after 10 seconds")
    await page.get_by_label("Write plain text").check()
    for name, value in (("theme", "dark"), ("density", "compact")):
        await expect(beside.locator("html")).to_have_attribute(f"data-{name}", value)

    async with another_browser(stack, browser) as elsewhere:
        await sign_in(elsewhere, email, PASSWORD_HERE)
        await expect(elsewhere.locator("html")).to_have_attribute("data-density", "compact")
        await expect(elsewhere.locator("html")).to_have_attribute("data-theme", "dark")
        (one,) = (await (await page.request.get("/api/v1/messages?role=inbox")).json())["items"]
        zone = ZoneInfo("Pacific/Kiritimati")
        there = datetime.fromisoformat(one["received_at"]).astimezone(zone)
        said = re.compile(rf"{there.day}\. \w+ {there.year} um {there:%H:%M}")
        await expect(row(elsewhere, "Lunch").locator("time")).to_have_attribute("title", said)
        await accessible(elsewhere)
        await elsewhere.get_by_role("link", name="Lunch on Friday").click()
        await expect(elsewhere.get_by_role("heading", name="Lunch on Friday")).to_be_visible()
        await expect(row(elsewhere, "Lunch")).to_have_attribute("data-unread", "true")
        await elsewhere.get_by_role("button", name="New message").click()
        await expect(elsewhere.locator("textarea")).to_be_visible()
        await expect(row(elsewhere, "Lunch")).not_to_have_attribute("data-unread", "true")


@pytest.mark.parametrize(("colours", "width"), [("light", 1360), ("dark", 390)])
async def test_settings_can_be_used_by_everybody_and_stand_still(
    page: Page, dovecot: Dovecot, postfix: Postfix, colours: str, width: int
) -> None:
    await page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
    await begin(page, dovecot, postfix)
    await page.set_viewport_size({"width": width, "height": 860})
    await watch(page)
    for section in SECTIONS.split():
        await stands_still(page, f"/settings/{section}")
        await expect(page.get_by_role("heading", level=2).first).to_be_visible()
        await accessible(page)
        await fits(page)

"""Writing mail: kept whatever happens, sent as meant, and taken back in time."""

import base64
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default

import pytest
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.stories.stack import Stack, until
from tests.web.conftest import PASSWORD_HERE, another_browser, sign_up
from tests.web.walk import accessible, fill_in, letter, row

pytestmark = pytest.mark.story

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PLAN = FilePayload(name="plan.txt", mimeType="text/plain", buffer=b"First lunch, then the rest.")


async def begin(page: Page, dovecot: Dovecot, postfix: Postfix, *letters: bytes) -> tuple[str, str]:
    """Somebody new who looks at their inbox: how they sign in here, and their mail address."""
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", letters)
    email = await sign_up(page)
    await fill_in(page, user, dovecot, postfix)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await page.get_by_role("heading", name="Inbox").wait_for()
    await expect(row(page, "")).to_have_count(len(letters))
    return email, user


def words(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message", exact=True)


async def write(page: Page, to: str, subject: str, text: str) -> None:
    await page.get_by_role("button", name="New message").click()
    await page.get_by_label("To", exact=True).fill(f"{to},")
    await page.get_by_label("Subject").fill(subject)
    await words(page).fill(text)


async def write_on(page: Page, text: str) -> None:
    await words(page).press("Control+End")
    await page.keyboard.type(text)


def saved(page: Page) -> Locator:
    return page.locator(".composer-head").get_by_text("Saved")


async def send(page: Page) -> None:
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Message sent.")


async def received(dovecot: Dovecot, user: str) -> Message:
    async def delivered() -> list[bytes]:
        return list(dovecot.messages(user).values())

    (one,) = await until("it is delivered", delivered)
    return message_from_bytes(one, policy=default)


def part(message: Message, content_type: str) -> str:
    return next(
        one.get_content().replace("\r\n", "\n")
        for one in message.walk()
        if isinstance(one, EmailMessage) and one.get_content_type() == content_type
    )


async def test_what_is_written_outlives_the_server_and_goes_on_in_another_browser(
    page: Page, stack: Stack, browser: Browser, dovecot: Dovecot, postfix: Postfix
) -> None:
    email, _ = await begin(page, dovecot, postfix)
    await write(page, "bob@example.org", "Long letter", "It begins.")
    await expect(saved(page)).to_be_visible()
    await page.route("**/api/v1/drafts/**", lambda route: route.abort())
    await write_on(page, " Not there yet.")
    await expect(page.get_by_text("The server is not reached")).to_be_visible()
    await page.reload()
    await expect(words(page)).to_have_text("It begins. Not there yet.")
    await page.unroute("**/api/v1/drafts/**")
    await expect(saved(page)).to_be_visible()
    stack.kill("api")
    await write_on(page, " Killed.")
    await expect(saved(page)).to_have_count(0)
    await expect(saved(page)).to_be_visible(timeout=60_000)

    async with another_browser(stack, browser) as elsewhere:
        await elsewhere.goto("/sign-in")
        await elsewhere.get_by_label("E-mail address").fill(email)
        await elsewhere.get_by_label("Password").fill(PASSWORD_HERE)
        await elsewhere.get_by_role("button", name="Sign in").click()
        await elsewhere.get_by_role("link", name="Drafts and sending").click()
        await elsewhere.get_by_role("button", name="Write on").click()
        await expect(words(elsewhere)).to_have_text("It begins. Not there yet. Killed.")
        await accessible(elsewhere)
        await elsewhere.get_by_label("Subject").fill("Longer letter")
        await expect(saved(elsewhere)).to_be_visible()

        # Both versions are there to choose from.
        await page.get_by_label("Subject").fill("Longest letter")
        await expect(page.get_by_text("changed elsewhere meanwhile")).to_be_visible()
        await page.get_by_role("button", name="Compare").click()
        await expect(page.get_by_role("region", name="Elsewhere")).to_contain_text("Longer letter")
        await accessible(page)
        await page.get_by_role("button", name="Keep both").click()
        await expect(saved(page)).to_be_visible()
        await elsewhere.reload()
        drafts = elsewhere.get_by_role("region", name="Drafts", exact=True)
        await expect(drafts.get_by_text("Longer letter")).to_be_visible()
        await expect(drafts.get_by_text("Longest letter")).to_be_visible()


async def test_an_answer_has_what_it_answers_below_and_pictures_and_files_with_it(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    other = dovecot.new_user()
    question = letter("Lunch on Friday", html="<p>Shall we try the <b>ramen</b>?</p>")
    question = question.replace(b"grace@postbus.test", other.encode())
    await begin(page, dovecot, postfix, question)
    await page.get_by_role("link", name="Lunch on Friday").click()
    await page.get_by_role("button", name="Reply", exact=True).first.click()
    await words(page).press_sequentially("Yes, see the attached plan. ")
    await words(page).evaluate(
        """(box, pixel) => {
            const bytes = Uint8Array.from(atob(pixel), (one) => one.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "dot.png", { type: "image/png" }));
            box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }""",
        base64.b64encode(PIXEL).decode(),
    )
    picture = words(page).get_by_role("img", name="dot.png")
    await expect(picture).to_have_js_property("naturalWidth", 1)
    await page.get_by_role("button", name="Show what is quoted").click()
    await expect(
        page.get_by_role("complementary").frame_locator("iframe").get_by_text("ramen")
    ).to_be_visible()

    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.get_by_text("You mention an attachment")).to_be_visible()
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Attach files").click()
    await (await chooser.value).set_files([PLAN])
    await expect(page.get_by_role("link", name="plan.txt")).to_be_visible()
    await send(page)

    answer = await received(dovecot, other)
    assert answer["Subject"] == "Re: Lunch on Friday"
    assert answer["In-Reply-To"] == "<Lunch.on.Friday@postbus.test>"
    html = part(answer, "text/html")
    assert "Yes, see the attached plan." in html
    assert "<b>ramen</b>" in html
    assert "ramen" in part(answer, "text/plain")
    shown = next(one for one in answer.walk() if one.get_content_type() == "image/png")
    assert f"cid:{shown['Content-ID'].strip('<>')}" in html
    names = [one.get_filename() for one in answer.walk()]
    assert "plan.txt" in names


async def test_what_is_forwarded_goes_with_its_files(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "Grace <grace@postbus.test>", "Ada <ada@postbus.test>"
    message["Subject"], message["Date"] = "The plan", "Fri, 20 Nov 2026 10:00:00 +0000"
    message.set_content("Here it is.")
    message.add_attachment(b"First lunch.", maintype="text", subtype="plain", filename="plan.txt")
    await begin(page, dovecot, postfix, message.as_bytes().replace(b"\n", b"\r\n"))
    other = dovecot.new_user()
    await page.get_by_role("link", name="The plan").click()
    await page.get_by_role("button", name="Forward").first.click()
    await expect(
        page.get_by_role("complementary").get_by_role("link", name="plan.txt")
    ).to_be_visible()
    await page.get_by_label("To", exact=True).fill(f"{other},")
    await send(page)
    passed_on = await received(dovecot, other)
    assert passed_on["Subject"] == "Fwd: The plan"
    assert "Here it is." in part(passed_on, "text/plain")
    assert [one.get_filename() for one in passed_on.walk() if one.get_filename()] == ["plan.txt"]


async def test_what_is_sent_is_taken_back_or_goes_later(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    await begin(page, dovecot, postfix)
    other = dovecot.new_user()
    await write(page, other, "Too early", "Until Friday!")
    await send(page)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_label("Subject")).to_have_value("Too early")
    await expect(words(page)).to_have_text("Until Friday!")
    await page.get_by_role("button", name="Send later").click()
    await page.get_by_role("menuitem").first.click()
    await expect(page.get_by_role("status")).to_contain_text("It is sent on")

    await page.get_by_role("link", name="Drafts and sending").click()
    sending = page.get_by_role("region", name="Sending")
    later = sending.get_by_role("listitem").filter(has_text="Scheduled")
    await later.get_by_role("button", name="Send now").click()
    assert (await received(dovecot, other))["Subject"] == "Too early"
    await expect(sending.get_by_text("Canceled")).to_be_visible()
    await accessible(page)


async def test_an_answer_that_misses_its_list_is_led_back_and_goes_plainly_at_a_chosen_moment(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    all_of_it = dovecot.new_user()
    headers = {"List-Id": "Lunch <lunch.postbus.test>", "List-Post": f"<mailto:{all_of_it}>"}
    await begin(page, dovecot, postfix, letter("Ramen", headers=headers))
    await page.get_by_role("link", name="Ramen").click()
    await page.get_by_role("button", name="Reply", exact=True).first.click()
    guard = page.get_by_text("This does not go to the mailing list Lunch.")
    await guard.get_by_role("button", name="Reply to the list").click()
    await expect(guard).to_have_count(0)
    await page.get_by_role("button", name="With fonts and lists").click()
    body = page.locator("textarea")
    await body.fill("Gladly,\n  with <b>noodles</b>.")
    await page.get_by_role("button", name="Send later").click()
    await page.get_by_role("menuitem", name="Choose day and time").click()
    picker = page.get_by_role("dialog", name="Send later")
    await accessible(page)
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    await picker.get_by_label("Day and time").fill(f"{day}T09:30")
    await picker.get_by_role("button", name="Send then").click()
    await expect(page.get_by_text("It is sent on")).to_be_visible()

    await page.get_by_role("link", name="Drafts and sending").click()
    later = page.get_by_role("listitem").filter(has_text="Scheduled")
    kept = (await (await page.request.get("/api/v1/submissions")).json())["items"]
    moment = datetime.fromisoformat(kept[0]["next_attempt_at"]).astimezone()
    assert (moment.date(), moment.hour, moment.minute) == (day, 9, 30)
    await later.get_by_role("button", name="Send now").click()
    answer = await received(dovecot, all_of_it)
    assert answer["To"].endswith(f"<{all_of_it}>")
    assert part(answer, "text/plain").startswith("Gladly,\n  with <b>noodles</b>.")
    assert [one.get_content_type() for one in answer.walk()] == ["text/plain"]


async def test_what_a_server_refuses_is_said_and_written_anew(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    await begin(page, dovecot, postfix)
    await write(page, "unknown@postbus.test", "To nobody", "Hello?")
    await send(page)
    await page.get_by_role("link", name="Drafts and sending").click()
    await page.get_by_role("button", name="Send now").click()
    await expect(page.get_by_text("Failed")).to_be_visible()
    await expect(page.get_by_text("no such user")).to_be_visible()
    await page.get_by_role("link", name="To the inbox").click()
    await expect(page.get_by_role("alert")).to_contain_text("To nobody")
    await page.get_by_role("link", name="See what can be done").click()
    await page.get_by_role("button", name="Write anew").click()
    await expect(page.get_by_label("Subject")).to_have_value("To nobody")
    await expect(words(page)).to_have_text("Hello?")


async def test_who_writes_chooses_the_address_and_its_signature(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    await begin(page, dovecot, postfix)
    other = dovecot.new_user()
    accounts = (await (await page.request.get("/api/v1/accounts")).json())["items"]
    made = await page.request.post(
        f"/api/v1/accounts/{accounts[0]['id']}/identities",
        data={
            "name": "Sales",
            "email": "sales@postbus.test",
            "signature_html": "<p><b>Sales</b> of it all</p>",
        },
        headers={"Origin": page.url.split("/mail")[0]},
    )
    assert made.status == 201, await made.text()
    await page.reload()
    await write(page, other, "An offer", "Cheap!")
    await page.get_by_label("From").select_option(label="Sales <sales@postbus.test>")
    await expect(words(page)).to_contain_text("of it all")
    await expect(words(page)).to_contain_text("Cheap!")
    await send(page)
    offer = await received(dovecot, other)
    assert offer["From"] == "Sales <sales@postbus.test>"
    assert "<b>Sales</b>" in part(offer, "text/html").replace("strong>", "b>")

"""Reading in the webmail: what a message says, carries, and is not let do."""

import pytest
from playwright.async_api import Page, Route, expect

from tests.api.test_html_in_a_browser import ATTACKS
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.web.walk import accessible, connect, letter, row

pytestmark = pytest.mark.story

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8"
    "cfc000000301010018dd8db00000000049454e44ae426082"
)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
INVITATION = b"""BEGIN:VCALENDAR
VERSION:2.0
METHOD:REQUEST
BEGIN:VEVENT
UID:1@postbus.test
SUMMARY:Ramen together
DTSTART:20261127T110000Z
DTEND:20261127T120000Z
LOCATION:Kreuzberg
ORGANIZER;CN=Grace Hopper:mailto:grace@postbus.test
ATTENDEE;CN=Ada:mailto:ada@postbus.test
END:VEVENT
END:VCALENDAR
"""
# What attacks call to show that they ran, in every frame but the webmail's own page.
HOOKS = """
if (window !== top)
    for (const name of ["alert", "confirm", "prompt", "print", "open", "fetch"])
        window[name] = () => window.noteThatItRan(name);
"""


async def test_what_a_message_carries_is_looked_at(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    quoted = "<p>Gladly!</p><blockquote><p>Shall we have ramen?</p></blockquote>"
    files = [
        ("dot.png", "image/png", PNG),
        ("notes.txt", "text/plain", "Grüße & <b>more</b>".encode()),
        ("plan.pdf", "application/pdf", PDF),
        ("thing.bin", "application/octet-stream", b"\0\1"),
        ("invite.ics", "text/calendar", INVITATION),
    ]
    leave = {
        "List-Id": "Lunch <lunch.postbus.test>",
        "List-Unsubscribe": "<mailto:leave@postbus.test?subject=leave%20lunch>,"
        " <https://127.0.0.1:8443/leave>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Authentication-Results": "mx.postbus.test; dkim=pass header.d=postbus.test",
    }
    await page.route("**/api/v1/threads/*", labelled)
    await connect(
        page, dovecot, postfix, [letter("Plans", html=quoted, headers=leave, files=files)]
    )
    await row(page, "Plans").get_by_role("link").click()
    frame = page.frame_locator("iframe.frame")
    await expect(frame.get_by_text("Gladly!")).to_be_visible()
    await expect(frame.get_by_text("Shall we have ramen?")).to_be_hidden()
    await frame.locator("summary").click()
    await expect(frame.get_by_text("Shall we have ramen?")).to_be_visible()
    # The frame has no origin, and hands on the keys that are pressed in it.
    (inner,) = [one for one in page.frames if "/html" in one.url]
    assert await inner.evaluate("self.origin") == "null"
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    await page.keyboard.press("Escape")

    invitation = page.get_by_role("region", name="Invitation")
    for said in ("Ramen together", "Kreuzberg", "Grace Hopper", "Ada"):
        await expect(invitation).to_contain_text(said)

    attachments = page.get_by_role("region", name="Attachments")
    await expect(attachments.get_by_role("listitem")).to_have_count(5)
    await attachments.get_by_role("button", name="notes.txt").click()
    preview = page.get_by_role("dialog", name="notes.txt")
    await expect(preview.locator("pre")).to_have_text("Grüße & <b>more</b>")
    await accessible(page)
    await page.keyboard.press("Escape")
    await attachments.get_by_role("button", name="dot.png").click()
    picture = page.get_by_role("dialog", name="dot.png").get_by_role("img")
    await expect(picture).to_have_js_property("naturalWidth", 1)
    await page.keyboard.press("Escape")
    await attachments.get_by_role("button", name="plan.pdf").click()
    viewer = page.get_by_role("dialog", name="plan.pdf").locator("iframe")
    await expect(viewer).to_be_visible()
    source = await viewer.get_attribute("src")
    assert source is not None
    shown = await page.request.head(source)
    assert shown.headers["content-type"] == "application/pdf"
    assert shown.headers["content-disposition"].startswith("inline")
    await page.keyboard.press("Escape")
    await expect(attachments.get_by_role("button", name="thing.bin")).to_have_count(0)

    await page.get_by_role("button", name="More").click()
    await page.get_by_role("menuitem", name="Show all headers").click()
    original = page.get_by_role("dialog")
    await expect(original).to_contain_text("Authentication-Results")
    await original.get_by_role("button", name="Show the original").click()
    await expect(original.locator("pre")).to_contain_text("Subject: Plans")
    await page.keyboard.press("Escape")

    # The one request that the list asks for reaches nobody; there is another way.
    await page.get_by_role("button", name="Unsubscribe").click()
    await expect(page.get_by_role("status")).to_contain_text("did not confirm that it was left")
    await page.get_by_role("button", name="Leave another way").click()
    await expect(page.get_by_label("Subject")).to_have_value("leave lunch")

    await page.get_by_role("list", name="Labels").get_by_role("link", name="Family").click()
    await expect(page.get_by_role("combobox", name="Search mail")).to_have_value('label:"Family"')
    await expect(page.get_by_role("heading", name="Search results")).to_be_visible()


async def labelled(route: Route) -> None:
    """A conversation as Gmail has it: no server here knows labels."""
    answer = await route.fetch()
    told = await answer.json()
    for one in told["items"]:
        one["labels"] = ["\\Inbox", "Family"]
    await route.fulfill(response=answer, json=told)


async def test_nothing_that_an_attack_wants_happens(
    page: Page, dovecot: Dovecot, postfix: Postfix
) -> None:
    """All in one conversation that is open as a whole. The page's fixture sees what is asked."""
    ran: list[str] = []

    def note(_: object, name: str) -> None:
        ran.append(name)

    await page.context.expose_binding("noteThatItRan", note)
    await page.context.add_init_script(HOOKS)
    page.on("dialog", lambda dialog: ran.append(dialog.message))

    first = letter("Attacks 0", html=ATTACKS[0])
    others = [
        letter(
            f"Attacks {number}",
            html=f"<p>Attack {number}</p>{attack}",
            headers={"In-Reply-To": "<Attacks.0@postbus.test>"},
        )
        for number, attack in enumerate(_gathered(ATTACKS[1:], 8), 1)
    ]
    await connect(page, dovecot, postfix, [first, *others], rows=1)
    await row(page, "Attacks").get_by_role("link").click()
    await expect(page.locator("iframe.frame")).to_have_count(len(others) + 1)
    frames = [one for one in page.frames if "/html" in one.url]
    for frame in frames:
        await frame.wait_for_load_state("load")
        assert await frame.evaluate("self.origin") == "null"
    assert ran == []
    # Or else nothing would have been seen in any case.
    await frames[-1].evaluate("alert(1)")
    assert ran == ["alert"]


def _gathered(attacks: list[str], at_once: int) -> list[str]:
    return ["<hr>".join(attacks[at : at + at_once]) for at in range(0, len(attacks), at_once)]

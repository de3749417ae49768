"""What people do in the webmail in every story: their mail, their account, a row of a list."""

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path

from playwright.async_api import Locator, Page, expect

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.imap_server import Reachable
from tests.servers.postfix import Postfix
from tests.web.conftest import sign_up

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"


def letter(
    subject: str,
    *,
    text: str = "Shall we?",
    html: str | None = None,
    headers: Mapping[str, str] = {},
    files: Sequence[tuple[str, str, bytes]] = (),
) -> bytes:
    """A letter from Grace to Ada; files are (name, type, content)."""
    message = EmailMessage()
    message["From"] = "Grace Hopper <grace@postbus.test>"
    message["To"] = "Ada <ada@postbus.test>"
    message["Subject"] = subject
    message["Message-ID"] = f"<{subject.replace(' ', '.')}@postbus.test>"
    message["Date"] = "Fri, 20 Nov 2026 10:00:00 +0000"
    for name, value in headers.items():
        message[name] = value
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    for name, kind, content in files:
        maintype, _, subtype = kind.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)
    return message.as_bytes().replace(b"\n", b"\r\n")


async def fill_in(page: Page, user: str, incoming: Reachable, postfix: Postfix) -> None:
    """What the form asks for, of the servers here."""
    await page.get_by_label("E-mail address").fill(user)
    await page.get_by_label("Password of the mail account").fill(PASSWORD)
    ports = {"Incoming": incoming.imap_port, "Outgoing": postfix.submission_port}
    for group, port in ports.items():
        fields = page.get_by_role("group", name=group)
        await fields.get_by_label("Server").fill("127.0.0.1")
        await fields.get_by_label("Security").select_option("none")
        await fields.get_by_label("Port").fill(str(port))


async def connect(
    page: Page,
    dovecot: Dovecot,
    postfix: Postfix,
    letters: Sequence[bytes],
    rows: int | None = None,
) -> str:
    """A new person with a new mailbox in which this is, looking at its inbox of so many rows."""
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", letters)
    await sign_up(page)
    await fill_in(page, user, dovecot, postfix)
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(row(page, "")).to_have_count(len(letters) if rows is None else rows)
    return user


def row(page: Page, subject: str) -> Locator:
    return page.locator(".row", has_text=subject)


async def accessible(page: Page) -> None:
    """No rule of WCAG 2.2 AA that a program can judge is broken."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate(
        """() => axe.run(document, {
            runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
            iframes: false,
        }).then((result) => result.violations.map((one) =>
            `${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`))"""
    )
    assert found == []


async def fits(page: Page) -> None:
    """Nothing is cut off and nothing scrolls sideways at 400 % (WCAG 2.2 §1.4.10: 320 × 256)."""
    before = page.viewport_size
    assert before is not None
    await page.set_viewport_size({"width": 320, "height": 256})
    wide = await page.evaluate(
        """() => {
            const used = "a, button, input, select, textarea, summary, label, h1, h2";
            const cut = [...document.querySelectorAll(used)].filter((one) => {
                const box = one.getBoundingClientRect();
                return box.width > 1 && (box.right > innerWidth + 1 || box.left < -1)
                    && getComputedStyle(one).visibility === "visible"
                    && !one.closest(".unseen, .skip");
            });
            const { scrollWidth } = document.documentElement;
            return [...cut.map((one) => one.outerHTML.slice(0, 120)),
                ...(scrollWidth > innerWidth ? [`${scrollWidth} wide`] : [])];
        }"""
    )
    await page.set_viewport_size(before)
    assert wide == []

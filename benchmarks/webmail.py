"""How quick the webmail feels: what is loaded first, when it can be used, how it opens and scrolls.

The platform as `./just up` runs it, a real mailbox in Dovecot, and Chromium whose processor is
slowed down four times. For the list of 100,000 rows the answers of one route are made up here, page
by page as the API gives them; all else is real. Run by `./just bench webmail`. The last line is
JSON, for programs.
"""

import argparse
import asyncio
import gzip
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.async_api import BrowserContext, CDPSession, Page, Response, Route, async_playwright

from benchmarks.machine import hardware
from benchmarks.say import say, title
from infra.dev import web
from tests.api.browser import CHROMIUM
from tests.servers.dovecot import Dovecot
from tests.servers.process import short_directory
from tests.stories.stack import Stack, running_stack
from tests.stories.walk import connect, until_state

SLOWED = 4
CONVERSATIONS = 60
OPENED = 10
PASSWORD = "correct horse battery"
LONG_TASK_MILLISECONDS = 50
SCROLLED_SECONDS = 10
# Before anything of the page: when the first row stands there, and what held the processor.
WATCH = """
window.measured = { row: 0, tasks: [] };
new PerformanceObserver((list) => {
    for (const one of list.getEntries())
        measured.tasks.push([one.startTime, one.startTime + one.duration]);
}).observe({ type: "longtask", buffered: true });
new MutationObserver((_, observer) => {
    if (!document.querySelector(".row")) return;
    measured.row = performance.now();
    observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
EARLY = """
performance.getEntriesByType("resource")
    .filter((one) => one.startTime < measured.row).map((one) => one.name)
"""
OPEN = """
async (subject) => {
    const link = [...document.querySelectorAll(".row-link")]
        .find((one) => one.textContent.includes(subject));
    const began = performance.now();
    link.click();
    const there = () => [...document.querySelectorAll(".reader")].some((one) =>
        one.checkVisibility() && one.querySelector("h1")?.textContent === subject
            && one.querySelector("iframe.frame"));
    while (!there()) await new Promise((done) => requestAnimationFrame(done));
    return performance.now() - began;
}
"""
SCROLL = """
async (seconds) => {
    const list = document.querySelector("section.list");
    measured.tasks = [];
    const began = performance.now();
    let frames = 0;
    let longest = 0;
    let last = began;
    let there = list.scrollTop;
    while (performance.now() - began < seconds * 1000) {
        // Back and forth over all of it, as fast as a wheel that is spun.
        const part = ((performance.now() - began) / 1000) / seconds;
        const height = list.scrollHeight - list.clientHeight;
        list.scrollTop = height * 0.97 * Math.abs(Math.sin(part * 6));
        const now = await new Promise((done) => requestAnimationFrame(done));
        frames += 1;
        longest = Math.max(longest, now - last);
        last = now;
    }
    return {
        frames: frames / seconds,
        longest,
        tasks: measured.tasks.map(([from, to]) => to - from),
        rows: Math.round(list.querySelector("ul").clientHeight
            / list.querySelector("li").clientHeight),
    };
}
"""


@dataclass
class Loaded:
    """Scripts that came with the first page."""

    names: list[str]
    gzip_bytes: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of the long list")
    return asyncio.run(measure(parser.parse_args().rows))


async def measure(rows: int) -> int:
    if CHROMIUM is None:
        say("There is no Chromium here.")
        return 1
    web.install()
    if not web.is_current():
        web.build()
    with short_directory("postbus-bench-") as folder, Dovecot(folder) as dovecot:
        async with running_stack(POSTBUS_WEBMAIL="on") as stack:
            email = await somebody(stack, dovecot)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
                )
                # Waiting for something in the page is `eval`, which the policy refuses.
                context = await browser.new_context(
                    base_url=stack.url, viewport={"width": 1360, "height": 860}, bypass_csp=True
                )
                context.set_default_timeout(120_000)
                found = await in_browser(context, email, rows)
                await browser.close()
    machine = hardware()
    say(" · ".join(f"{name} {value}" for name, value in machine.items()))
    say(json.dumps({"benchmark": "webmail", "slowed": SLOWED, **found, **machine}))
    return 0


async def somebody(stack: Stack, dovecot: Dovecot) -> str:
    """Somebody with a mailbox that is copied; their address."""
    user = dovecot.new_user()
    dovecot.append(user, "INBOX", [letter(number) for number in range(CONVERSATIONS)])
    email = f"{uuid4().hex}@example.org"
    async with stack.client() as client:
        made = await client.post("/auth/register", json={"email": email, "password": PASSWORD})
        made.raise_for_status()
        client.headers["Authorization"] = f"Bearer {made.json()['access_token']}"
        account = await connect(client, user, dovecot)
        await until_state(client, account, "live")
    return email


def letter(number: int) -> bytes:
    message = EmailMessage()
    message["From"] = f"Person {number % 17} <person{number % 17}@example.org>"
    message["To"] = "Ada <ada@postbus.test>"
    message["Subject"] = f"Conversation {number:03}"
    message["Message-ID"] = f"<{number}@example.org>"
    message["Date"] = (datetime(2026, 11, 20, tzinfo=UTC) - timedelta(minutes=number)).strftime(
        "%a, %d %b %Y %H:%M:%S %z"
    )
    message.set_content("Shall we?\n\n" + "Some words of it. " * 200)
    message.add_alternative("<p>Shall we?</p>" + "<p>Some words of it.</p>" * 100, subtype="html")
    return message.as_bytes().replace(b"\n", b"\r\n")


async def in_browser(context: BrowserContext, email: str, rows: int) -> dict[str, Any]:
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator(".row").first.wait_for()
    await page.close()

    title("The first page")
    page = await context.new_page()
    await page.add_init_script(WATCH)
    slow = await slowed(page, cached=False)
    loaded = await first_load(page)
    interactive = await usable(page)
    say(f"Scripts      {loaded.gzip_bytes / 1000:7.1f} kB in gzip: {', '.join(loaded.names)}")
    say(f"Usable after {interactive:7.0f} ms")

    title("A conversation that was open before")
    subjects = [f"Conversation {number:03}" for number in range(OPENED)]
    for subject in subjects:
        await page.evaluate(OPEN, subject)
        await page.locator("iframe.frame:visible").wait_for()
    opened = sorted([await page.evaluate(OPEN, subject) for subject in subjects])
    middle, slowest = opened[len(opened) // 2], opened[-1]
    say(f"Opened in    {middle:7.0f} ms (slowest of {OPENED}: {slowest:.0f} ms)")
    await slow.detach()
    await page.close()

    title(f"A list of {rows:,} rows")
    page = await context.new_page()
    await page.add_init_script(WATCH)
    example = await one_row(page)
    await page.route("**/api/v1/messages?*", lambda route: made_up(route, example, rows))
    await page.goto("/mail/inbox")
    await page.locator(".row").first.wait_for()
    await all_loaded(page, rows)
    slow = await slowed(page, cached=True)
    scrolled = await page.evaluate(SCROLL, SCROLLED_SECONDS)
    long = [task for task in scrolled["tasks"] if task > LONG_TASK_MILLISECONDS]
    longest = max(long, default=0)
    say(f"Rows         {scrolled['rows']:7}")
    say(f"Frames       {scrolled['frames']:7.1f} a second")
    say(f"Long tasks   {len(long):7} over {LONG_TASK_MILLISECONDS} ms, longest {longest:.0f} ms")
    await slow.detach()
    return {
        "first_load_gzip_bytes": loaded.gzip_bytes,
        "interactive_ms": round(interactive),
        "open_cached_ms": round(middle),
        "open_cached_slowest_ms": round(slowest),
        "rows": scrolled["rows"],
        "frames_a_second": round(scrolled["frames"], 1),
        "long_tasks": len(long),
        "longest_task_ms": round(longest),
    }


async def slowed(page: Page, *, cached: bool) -> CDPSession:
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": not cached})
    await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    return session


async def first_load(page: Page) -> Loaded:
    scripts: list[Response] = []
    page.on(
        "response",
        lambda one: scripts.append(one) if one.request.resource_type == "script" else None,
    )
    await page.goto("/mail/inbox")
    await page.wait_for_function("measured.row > 0")
    # What comes while somebody looks at the list is not waited for.
    early = set(await page.evaluate(EARLY))
    bodies = [
        (urlsplit(one.url).path.rpartition("/")[2], await one.body())
        for one in scripts
        if one.url in early
    ]
    return Loaded([name for name, _ in bodies], sum(len(gzip.compress(body)) for _, body in bodies))


async def usable(page: Page) -> float:
    """When the first row stood there and nothing held the processor: ms after the start."""
    await page.wait_for_function(
        """() => performance.now() > 1000 + Math.max(measured.row,
            ...measured.tasks.map(([, to]) => to))"""
    )
    return await page.evaluate("Math.max(measured.row, ...measured.tasks.map(([, to]) => to))")


async def one_row(page: Page) -> dict[str, Any]:
    answer = await page.request.get("/api/v1/messages?role=inbox&limit=1")
    return (await answer.json())["items"][0]


async def made_up(route: Route, example: dict[str, Any], rows: int) -> None:
    """A page of the long list, as the API would answer it."""
    asked = parse_qs(urlsplit(route.request.url).query)
    begin, size = int(asked.get("cursor", ["0"])[0]), int(asked["limit"][0])
    newest = datetime(2026, 11, 20, tzinfo=UTC)
    items = [
        example
        | {
            "id": f"msg_{number}",
            "thread_id": f"thr_{number}",
            "subject": f"Row {number}",
            "received_at": (newest - timedelta(minutes=number)).isoformat(),
        }
        for number in range(begin, min(rows, begin + size))
    ]
    after = begin + size
    await route.fulfill(json={"items": items, "next_cursor": str(after) if after < rows else None})


async def all_loaded(page: Page, rows: int) -> None:
    """Scrolled to the end until there is no more."""
    while True:
        height = await page.evaluate(
            """() => {
                const list = document.querySelector("section.list");
                list.scrollTop = list.scrollHeight;
                return list.querySelector("ul").clientHeight
                    / list.querySelector("li").clientHeight;
            }"""
        )
        if height >= rows * 0.99:
            return
        await page.wait_for_function(
            """(before) => {
                const list = document.querySelector("section.list");
                return list.querySelector("ul").clientHeight
                    / list.querySelector("li").clientHeight > before;
            }""",
            arg=height,
        )


if __name__ == "__main__":
    sys.exit(main())

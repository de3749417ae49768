"""What the sanitiser lets through, and what the page's policy stops, as a browser sees it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.api.domain.html import filled, sanitised
from services.api.http.message_page import FRAME_POLICY, in_a_frame
from services.api.http.webmail import PAGE_POLICY
from tests import corpora
from tests.api.browser import CHROMIUM, HOST, Browser, Page, Seen, running_browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

_FOLDER = corpora.corpora()
_LINES = (_FOLDER / "sanitize" / "vectors.jsonl").read_text("utf-8") if _FOLDER else ""
_VECTORS: list[dict[str, Any]] = [json.loads(line) for line in _LINES.splitlines()]
# Ours: each way out that we know, so that the test says something without the corpora, too.
_OURS = [
    "<script>alert(1)</script>",
    '<img src="http://evil.example/pixel" onerror="alert(1)">',
    '<svg onload="alert(1)"><image href="http://evil.example/svg"></svg>',
    '<iframe src="http://evil.example/frame"></iframe>',
    '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
    '<object data="http://evil.example/object"></object>',
    '<embed src="http://evil.example/embed">',
    '<video poster="http://evil.example/poster" src="http://evil.example/video"></video>',
    '<link rel="stylesheet" href="http://evil.example/sheet">',
    '<link rel="preload" as="image" href="http://evil.example/preload">',
    '<style>@import "http://evil.example/import"; body { font-family: x }</style>x',
    "<style>@font-face{font-family:x;src:url(http://evil.example/font)}*{font-family:x}</style>x",
    '<p style="background: url(http://evil.example/background)">x</p>',
    '<p style="background: \\75 rl(http://evil.example/escaped)">x</p>',
    '<style>p { background: image-set("http://evil.example/set" 1x) }</style><p>x',
    "<style>:root { --x: url(http://evil.example/var) } p { background: var(--x) }</style><p>x",
    '<table background="http://evil.example/table"><tr><td>x</table>',
    '<img srcset="http://evil.example/srcset 1x">',
    '<picture><source srcset="http://evil.example/source"><img></picture>',
    '<meta http-equiv="refresh" content="0; url=http://evil.example/refresh">',
    '<base href="http://evil.example/"><img src="base">',
    '<input type="image" src="http://evil.example/input">',
    '<input autofocus onfocus="alert(1)">',
    '<details open ontoggle="alert(1)"><summary>x</summary></details>',
    '<style>@keyframes k{}p{animation:k}</style><p onanimationstart="alert(1)">x',
    '<script src="http://evil.example/script"></script>',
    "<script>new Image().src = 'http://evil.example/beacon'</script>",
]
# Without TLS, so that what is asked for is seen, and not only of whom.
ATTACKS = [
    attack.replace("https:", "http:")
    for attack in [*_OURS, *(vector["payload"] for vector in _VECTORS)]
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with running_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def shown(html: str) -> str:
    safe = sanitised(html)
    return filled(safe, [("data-remote-src", image.source) for image in safe.images])


async def showing(browser: Browser, pages: list[Page], **around: str) -> Seen:
    return await browser.shows({str(number): page for number, page in enumerate(pages)}, around)


async def test_attacks_that_are_shown_as_they_came_run_and_fetch(browser: Browser) -> None:
    """Or else the tests below would see nothing in any case."""
    seen = await showing(browser, [Page(f"<!doctype html>{attack}") for attack in _OURS])
    ran = {name.split()[0] for name in seen.ran}
    assert len(ran) >= 5, seen
    assert sum("evil.example" in url for url in seen.asked) >= 12, seen


async def test_of_sanitised_attacks_nothing_runs_and_nothing_is_fetched(browser: Browser) -> None:
    # No policy: the sanitiser must hold alone.
    seen = await showing(browser, [Page(f"<!doctype html>{shown(attack)}") for attack in ATTACKS])
    assert seen == Seen()


async def test_an_attack_that_was_missed_runs_nothing_on_our_page(browser: Browser) -> None:
    headers = {str(name): value for name, value in in_a_frame("x", "", "").headers.items()}
    assert headers["Content-Security-Policy"] == FRAME_POLICY
    # The webmail around it lets no frame be led elsewhere, which a page that may run its one
    # script could be (`<meta http-equiv=refresh>`).
    seen = await showing(
        browser,
        [Page(in_a_frame("x", attack, "").content, headers) for attack in ATTACKS],
        **{"Content-Security-Policy": PAGE_POLICY},
    )
    assert seen.ran == set()
    assert {url for url in seen.asked if not url.startswith(f"{HOST}/")} == set()


async def test_a_message_stays_in_its_place_and_keeps_its_looks(browser: Browser) -> None:
    message = shown(
        "<style>body{background:#eef} p{color:red} .big{width:5000px} .hi,td.x{color:#00f}"
        "#outside{color:lime} .message + p{color:lime}</style>"
        '<body bgcolor="#ccc"><p style="margin-top:-500px;position:fixed;top:0">a</p>'
        '<table><tr><td class="x" width="321" bgcolor="#ffff00">b</td></tr></table>'
        '<p class="hi big" id="outside">c</p>'
    )
    there = Page(
        '<!doctype html><p id="outside" class="hi">Ours</p><div style="margin-top:600px">'
        f"{message}</div><p id='after'>Ours</p>"
    )
    looks = await browser.value_of(
        there,
        """(() => {
            const of = (what) => getComputedStyle(document.querySelector(what));
            return {
                outside: of("#outside").color, after: of("#after").color,
                ground: of(".m-postbus").backgroundColor,
                first: of(".m-postbus p").color, position: of(".m-postbus p").position,
                cell: of("td").backgroundColor, text: of("td").color,
                width: document.querySelector("td").getAttribute("width"),
                hi: of(".m-hi").color,
                wide: document.documentElement.scrollWidth > innerWidth,
                on_top: document.elementFromPoint(20, 20).id,
            };
        })()""",
    )
    assert looks == {
        "outside": "rgb(0, 0, 0)",
        "after": "rgb(0, 0, 0)",
        "ground": "rgb(204, 204, 204)",
        "first": "rgb(255, 0, 0)",
        "position": "static",
        "cell": "rgb(255, 255, 0)",
        "text": "rgb(0, 0, 255)",
        "width": "321",
        "hi": "rgb(0, 255, 0)",
        "wide": False,
        "on_top": "outside",
    }

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
import pytest_asyncio

from services.api.actions.fetch_image import ImageLimits, Picture, fetch_image
from services.api.domain.image_links import check_link, check_part_link, link_query, part_query
from services.api.domain.pictures import picture_type
from services.api.domain.refusals import ImageLinkInvalid, ImageUnavailable
from services.api.domain.tokens import TokenKeys
from services.api.domain.web_address import WebAddress
from services.api.http.gateway import gateway
from services.api.http.message_page import FRAME_POLICY, PAPER_POLICY
from shared.contracts.content import AuthenticationResult
from shared.contracts.ids import Kind, shown
from shared.contracts.mail import Attachment, ContentAnswer, MessageContent, ReadContent
from shared.dial import Policy
from shared.telemetry import serve
from tests.api.conftest import Api, Person
from tests.api.mail import Ground

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEYS = TokenKeys("k1", {"k1": b"k" * 32, "k0": b"0" * 32})
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
LOOPBACK = Policy((ip_network("127.0.0.0/8"),))


@dataclass
class Site:
    """A server of a stranger: what it answers to each path, and what it was asked."""

    port: int = 0
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    asked: list[bytes] = field(default_factory=list[bytes])

    def url(self, path: str = "/image") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def says(self, body: bytes, *headers: str, status: str = "200 OK", path: str = "/image") -> str:
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.answers[path] = "\r\n".join(head).encode() + body
        return self.url(path)

    def leads(self, path: str, location: str, status: str = "302 Found") -> str:
        return self.says(b"", f"Location: {location}", status=status, path=path)


@asynccontextmanager
async def running_site() -> AsyncGenerator[Site]:
    site = Site()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        site.asked.append(head)
        path = head.split(b" ")[1].decode()
        answer = site.answers.get(path)
        if answer is None:
            await reader.read()  # says nothing, until the other end has enough
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    async with running_site() as site:
        yield site


def limits(policy: Policy = LOOPBACK, **more: Any) -> ImageLimits:
    said: dict[str, Any] = {"seconds": 10.0, "dial_seconds": 10.0, "most_bytes": 1000, **more}
    return ImageLimits(slots=asyncio.Semaphore(1), policy=policy, **said)


def refuses(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


# --- Fetching -----------------------------------------------------------------------------------


async def test_who_is_asked_for_an_image_learns_nothing_of_who_asks(site: Site) -> None:
    site.says(PNG, "Set-Cookie: a=b", path="/a%20%C3%BC?b=1&c=%3C")
    got = await fetch_image(site.url("/a ü?b=1&c=%3C#here"), limits())
    assert got == Picture(media_type="image/png", content=PNG)
    lines = site.asked[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20%C3%BC?b=1&c=%3C HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in lines[1:] if line}
    assert names == {"host", "user-agent", "accept", "accept-encoding", "connection"}


async def test_redirects_are_followed_each_to_a_checked_address(site: Site) -> None:
    site.says(PNG)
    site.leads("/start", f"//127.0.0.1:{site.port}/next", status="301 Moved")
    site.leads("/next", "image", status="307 Temporary Redirect")
    assert (await fetch_image(site.url("/start"), limits())).content == PNG

    site.leads("/inside", "http://169.254.169.254/latest/meta-data")
    with pytest.raises(ImageUnavailable) as refused:
        await fetch_image(site.url("/inside"), limits())
    assert "AddressRefused" in str(refused.value.__cause__)


@pytest.mark.parametrize(
    "location",
    ["/loop", "ftp://127.0.0.1/x", "http://127.0.0.1:25/x", "http://[", "file:///etc/passwd", ""],
)
async def test_redirects_that_lead_nowhere_end(site: Site, location: str) -> None:
    site.leads("/loop", location)
    with pytest.raises(ImageUnavailable):
        await fetch_image(site.url("/loop"), limits())
    assert len(site.asked) <= 6


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"],
)
async def test_our_own_network_is_not_asked_however_it_is_written(site: Site, host: str) -> None:
    site.says(PNG)
    with pytest.raises(ImageUnavailable):
        await fetch_image(f"http://{host}:{site.port}/image", limits(Policy()))
    assert site.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n<svg xmlns='http://www.w3.org/2000/svg'><script>f()</script></svg>",
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n<html><script>f()</script>",
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\n\r\n" + PNG + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n" + PNG + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + PNG,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n" + PNG,
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
async def test_what_is_no_image_is_not_handed_on(site: Site, answer: bytes) -> None:
    site.answers["/image"] = answer
    with pytest.raises(ImageUnavailable) as refused:
        await fetch_image(site.url(), limits())
    assert str(refused.value) == "The image could not be fetched."


async def test_an_image_that_takes_too_long_is_given_up(site: Site) -> None:
    with pytest.raises(ImageUnavailable) as refused:
        await fetch_image(site.url("/silent"), limits(seconds=0.3))
    assert isinstance(refused.value.__cause__, TimeoutError)


async def test_a_server_without_a_good_certificate_is_not_believed(site: Site) -> None:
    site.says(PNG)
    with pytest.raises(ImageUnavailable):
        await fetch_image(site.url().replace("http:", "https:"), limits())


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"\x00\x00\x00\x1cftypavif", "image/avif"),
        (b"\x00\x00\x00\x1cftypisom", None),
        (b"<?xml version='1.0'?><svg>", None),
        (b"", None),
    ],
)
def test_a_picture_is_told_by_its_bytes(content: bytes, media_type: str | None) -> None:
    assert picture_type(content) == media_type


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://Bücher.example/a", "xn--bcher-kva.example"),
        ("http://a.example:8080", "a.example:8080"),
        ("HTTP://[2001:DB8::1]/", "[2001:db8::1]"),
        ("http://a.example:22/", None),
        ("http://user@a.example/", None),
        ("http://a.example:99999/", None),
        ("http://[::1/", None),
        ("http://[fe80::1%25eth0]/", None),
        ("http:///x", None),
        ("http://a.example\\@b.example/", None),
        ("http://a b/", None),
        ("javascript:alert(1)", None),
        ("http://" + "a" * 9_000, None),
    ],
)
def test_an_address_that_nobody_should_be_sent_to_is_none(url: str, authority: str | None) -> None:
    address = WebAddress.read(url)
    assert (address and address.authority) == authority


# --- Links --------------------------------------------------------------------------------------


def checked(
    query: str, changed: Mapping[str, Any] = {}, *, now: datetime = NOW, keys: TokenKeys = KEYS
) -> None:
    said: dict[str, Any] = {**dict(parse_qsl(query)), **changed}
    said["expires"] = int(said["expires"])
    check_link(said.pop("url"), **said, keys=keys, now=now)


def checked_part(query: str, changed: Mapping[str, Any] = {}, *, now: datetime = NOW) -> None:
    said: dict[str, Any] = {**dict(parse_qsl(query)), **changed}
    said["expires"] = int(said["expires"])
    check_part_link(said.pop("part"), **said, keys=KEYS, now=now)


def test_a_link_is_good_for_a_day_or_two_and_only_as_it_was_written() -> None:
    query = link_query("https://a.example/?x=1&y=ü", KEYS, now=NOW)
    checked(query, now=NOW + timedelta(days=1))
    assert query == link_query("https://a.example/?x=1&y=ü", KEYS, now=NOW + timedelta(hours=9))
    for wrong in (
        {"url": "https://a.example/?x=2&y=ü"},
        {"expires": 9_999_999_999},
        {"signature": ""},
        {"signature": "ü\udcff"},
        {"key": "k0"},
        {"key": "none"},
    ):
        with pytest.raises(ImageLinkInvalid):
            checked(query, wrong)
    with pytest.raises(ImageLinkInvalid):
        checked(query, now=NOW + timedelta(days=2))


def test_links_outlive_a_new_key_and_end_with_their_own() -> None:
    query = link_query("https://a.example/", KEYS, now=NOW)
    checked(query, keys=TokenKeys("k2", {**KEYS.by_id, "k2": b"2" * 32}))
    with pytest.raises(ImageLinkInvalid):
        checked(query, keys=TokenKeys("k2", {"k2": b"2" * 32}))


def test_a_link_to_a_part_is_good_for_an_hour_or_two_and_for_nothing_else() -> None:
    query = part_query("ten_1.acc_1.msg_1.2", KEYS, now=NOW)
    checked_part(query, now=NOW + timedelta(minutes=59))
    for wrong in ({"part": "ten_1.acc_1.msg_1.3"}, {"expires": 9_999_999_999}):
        with pytest.raises(ImageLinkInvalid):
            checked_part(query, wrong)
    with pytest.raises(ImageLinkInvalid):
        checked_part(query, now=NOW + timedelta(hours=2))
    with pytest.raises(ImageLinkInvalid):  # what is signed for one use is good for no other
        checked(query.replace("part=", "url="))


# --- Through the API ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A message with HTML, asked for in one way or another."""

    http: httpx.AsyncClient
    path: str

    async def answer(self, **params: str) -> dict[str, Any]:
        answer = await self.http.get(self.path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def opening(
    api: Api,
    person: Person,
    ground: Ground,
    html: str | None,
    *,
    times: int = 1,
    authentication: tuple[AuthenticationResult, ...] = (),
    **more: Any,
) -> AsyncGenerator[Opened]:
    parts = (
        Attachment(number=1, name="a.pdf", content_type="application/pdf", size_bytes=9),
        Attachment(
            number=2,
            name="logo.png",
            content_type="image/png",
            size_bytes=9,
            content_id="logo 1@a",
            inline=True,
        ),
    )
    message = ground.message("A <b>", has_html=html is not None, attachments=parts, **more)
    await api.hears(ground.page(message))
    content = MessageContent(
        text="1 < 2",
        html=html,
        headers=(),
        text_characters=5,
        html_characters=len(html or ""),
        authentication=authentication,
    )
    path = f"/messages/{shown(Kind.MESSAGE, message.message_id)}"
    async with api.answering("sync", ReadContent, *[ContentAnswer(content=content)] * times):
        yield Opened(person.http, path)


LETTER = """<p>Hello<img src="cid:logo%201@a"><img src="cid:gone"><img alt="x"
    src="https://a.example/i.png?a=1&amp;b=2"><img src="http://t.example/1" width=1 height=1><img
    src="http://T.example/2" style="display: none"></p>"""


async def test_remote_images_wait_until_they_are_allowed_and_trackers_are_named(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with opening(api, ada, ground, LETTER, times=2) as message:
        blocked = await message.answer()
        allowed = await message.answer(images="allow")
    told = {"allowed_by": None, "count": 3, "trackers": [{"host": "t.example", "count": 2}]}
    assert blocked["remote_images"] == told | {"shown": False}
    assert allowed["remote_images"] == told | {"shown": True}
    logo = f'<img src="/api/v1{message.path}/attachments/2"><img>'
    assert logo in blocked["html"]
    assert logo in allowed["html"]
    remote = '="https://a.example/i.png?a=1&amp;b=2" alt="x">'
    assert f"<img data-remote-src{remote}" in blocked["html"]
    assert ' src="http' not in blocked["html"] + allowed["html"]
    assert allowed["html"].count('<img data-remote-src="http://') == 2
    assert allowed["html"].count('<img src="/api/v1/proxy/image?url=https%3A%2F%2Fa.example') == 1


async def test_an_allowed_image_comes_by_way_of_us_without_a_token(
    api: Api, ada: Person, ground: Ground, site: Site
) -> None:
    site.says(PNG, "Content-Type: text/html", "Set-Cookie: a=b")
    async with opening(api, ada, ground, f'<img src="{site.url()}">') as message:
        html = (await message.answer(images="allow"))["html"]
    assert site.asked == []
    (link,) = re.findall(r'src="/api/v1(/proxy/image\?[^"]+)"', html)
    link = unescape(link)

    async with api.client() as stranger:
        refused = await stranger.get(link)
        refuses(refused, 502, "image_unavailable")  # a private network
        assert site.asked == []
        for wrong in (link + "x", link.replace("%2Fimage", "%2Fother")):
            refuses(await stranger.get(wrong), 403, "image_link_invalid")
        missing = await stranger.get("/proxy/image", params={"url": site.url()})
        refuses(missing, 422, "validation_failed")

    settings = api.world.settings.model_copy(
        update={"dial_allowed_networks": LOOPBACK.allowed_networks, "images_per_minute": 2}
    )
    here = gateway(replace(api.world, settings=settings))
    async with (
        serve(here, host="127.0.0.1", port=0, grace_seconds=2) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as browser,
    ):
        got = await browser.get(link, headers={"Cookie": "session=1", "Referer": "http://x"})
        refuses(await browser.get(link), 429, "too_many_attempts")
    assert len(site.asked) == 1
    assert (got.status_code, got.content) == (200, PNG)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("default-src 'none'")
    assert "set-cookie" not in got.headers
    assert b"ession" not in site.asked[0]


async def test_a_message_as_a_page_can_do_nothing(api: Api, ada: Person, ground: Ground) -> None:
    async with opening(api, ada, ground, LETTER, times=2) as message:
        answer = await ada.http.get(f"{message.path}/html")
        bad = await ada.http.get(f"{message.path}/html", params={"images": "maybe"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == FRAME_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "<title>A &lt;b&gt;</title>" in answer.text
    assert "Hello<img src=" in answer.text
    refuses(bad, 422, "validation_failed")


async def test_a_page_asks_for_its_own_pictures_without_a_session(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with opening(api, ada, ground, LETTER) as message:
        page = (await ada.http.get(f"{message.path}/html")).text
    (link,) = re.findall(r'src="/api/v1(/proxy/part\?[^"]+)"', page)
    link = unescape(link)
    async with api.client() as stranger:
        there = await stranger.head(link)
        assert there.status_code == 200, there.text
        assert there.headers["content-type"] == "image/png"
        assert there.headers["content-disposition"].startswith("inline")
        assert there.headers["cross-origin-resource-policy"] == "cross-origin"
        for wrong in (link + "x", link.replace(".2&", ".1&")):
            refuses(await stranger.get(wrong), 403, "image_link_invalid")


async def test_a_message_on_paper_has_its_people_above_it(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with opening(api, ada, ground, LETTER) as message:
        answer = await ada.http.get(f"{message.path}/html", params={"paper": "true"})
    assert answer.headers["content-security-policy"] == PAPER_POLICY
    assert "<h1>A &lt;b&gt;</h1>" in answer.text
    assert "<b>From:</b>" in answer.text


async def test_a_message_without_html_is_a_page_of_its_text(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with opening(api, ada, ground, None) as message:
        answer = await ada.http.get(f"{message.path}/html")
    assert "<pre>1 &lt; 2</pre>" in answer.text


async def test_nobody_opens_the_page_of_anothers_message(
    api: Api, ada: Person, ground: Ground
) -> None:
    async with opening(api, ada, ground, LETTER) as message, api.person() as eve:
        refuses(await eve.http.get(f"{message.path}/html"), 404, "not_found")
        async with api.client() as nobody:
            refuses(await nobody.get(f"{message.path}/html"), 401, "token_invalid")

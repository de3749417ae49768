"""A real browser that says what ran in it and what it asked for.

Chromium is led over its debugging pipe, and reaches nothing but a proxy of ours, which knows the
pages it is given and notes everything else.
"""

import asyncio
import json
import os
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOST = "http://mail.example"

# What the browser asks for by itself, whatever it shows.
_ITS_OWN = re.compile(
    r"/favicon\.ico$|^(?:http://)?[\w.-]+\.(?:google|googleapis|gvt1)\.com(?:[:/]|$)"
)

# In every document, before anything of its own: what attacks call to show that they ran.
_HOOKS = """
for (const name of ["alert", "confirm", "prompt", "print", "open", "fetch"]) {
    window[name] = () => window.noteThatItRan(location.pathname + " " + name);
}
"""


@dataclass
class Seen:
    """What happened while pages were shown."""

    ran: set[str] = field(default_factory=set[str])
    asked: set[str] = field(default_factory=set[str])


@dataclass(frozen=True)
class Page:
    """A document to be shown, and the headers it comes with."""

    html: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Browser:
    """Shows pages; made by `running_browser`."""

    def __init__(self, to_it: asyncio.StreamWriter, seen: Seen) -> None:
        self.pages: dict[str, Page] = {}
        self.seen = seen
        self._to_it = to_it
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._session: str | None = None

    async def shows(self, pages: Mapping[str, Page], around: Mapping[str, str] = {}) -> Seen:
        """All of these, each in a frame of its own, until they are loaded and have had time.

        `around`: the headers of the page in which the frames are.
        """
        frames = "".join(f'<iframe src="{HOST}/{name}"></iframe>' for name in pages)
        self.pages = {**pages, "all": Page(f"<!doctype html><title>All</title>{frames}", around)}
        self.seen.ran.clear()
        self.seen.asked.clear()
        self._loaded.clear()
        await self._do("Page.navigate", url=f"{HOST}/all")
        async with asyncio.timeout(60):
            await self._loaded.wait()
        await asyncio.sleep(1.5)  # for what begins by itself after loading
        return Seen(set(self.seen.ran), set(self.seen.asked))

    async def value_of(self, page: Page, expression: str) -> Any:
        """What this means to the browser in that page."""
        self.pages = {"one": page}
        self._loaded.clear()
        await self._do("Page.navigate", url=f"{HOST}/one")
        async with asyncio.timeout(30):
            await self._loaded.wait()
        answer = await self._do("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def begin(self) -> None:
        target = await self._do("Target.createTarget", url="about:blank")
        session = await self._do("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = session["sessionId"]
        await self._do("Page.enable")
        await self._do("Runtime.enable")
        await self._do("Runtime.addBinding", name="noteThatItRan")
        await self._do("Page.addScriptToEvaluateOnNewDocument", source=_HOOKS)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        while said := await reader.readuntil(b"\0"):
            message = json.loads(said[:-1])
            if (waiting := self._answers.pop(message.get("id"), None)) is not None:
                waiting.set_result(message)
            elif message.get("method") == "Runtime.bindingCalled":
                self.seen.ran.add(message["params"]["payload"])
            elif message.get("method") == "Page.loadEventFired":
                self._loaded.set()

    async def _do(self, method: str, **params: Any) -> dict[str, Any]:
        number = max(self._answers, default=0) + 1
        command: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session is not None:
            command["sessionId"] = self._session
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._to_it.write(json.dumps(command).encode() + b"\0")
        async with asyncio.timeout(30):
            answer = await self._answers[number]
        assert "error" not in answer, answer
        return answer["result"]


@asynccontextmanager
async def running_browser(home: Path) -> AsyncGenerator[Browser]:
    """A browser with nothing in it, which ends with this context."""
    assert CHROMIUM is not None
    seen = Seen()
    browser: Browser | None = None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            head = b""
        if head:
            url = head.split(b" ", 2)[1].decode("latin-1")
            page = browser.pages.get(url.removeprefix(f"{HOST}/")) if browser else None
            if page is None and not _ITS_OWN.search(url):
                seen.asked.add(url)
            writer.write(_response(page))
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    child = await asyncio.create_subprocess_exec(
        *("sh", "-c", 'exec "$@" 3<&0 4>&1 >/dev/null', "sh", CHROMIUM),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--remote-debugging-pipe", f"--user-data-dir={home}"),
        *(f"--proxy-server=127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>", "about:blank"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        start_new_session=True,
        limit=64 * 1024 * 1024,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    browser = Browser(child.stdin, seen)
    listening = asyncio.create_task(browser.listen(child.stdout))
    try:
        await browser.begin()
        yield browser
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # with the processes it has made
        await child.wait()
        proxy.close()


def _response(page: Page | None) -> bytes:
    if page is None:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    body = page.html.encode("utf-8", "replace")
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **page.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body

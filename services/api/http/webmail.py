"""The webmail: files that are the same for everybody, and one page for all its addresses."""

import mimetypes
from hashlib import sha256
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.params import FromPath
from msgspec import Struct

from services.api.domain.refusals import NotFound

# All of it comes from here, and nothing else is asked; a script that somebody smuggled in would not
# run. Frames are messages, which have a policy of their own.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_FOR_EVER = "public, max-age=31536000, immutable"  # their names change with what is in them
_ASK_AGAIN = "no-cache"


class NoWebmail(Exception):
    """The directory that should hold the built webmail does not."""


class File(Struct, frozen=True):
    """A file as it is sent."""

    content: bytes
    media_type: str
    etag: str


class Webmail:
    """The built webmail, read once; raises NoWebmail where there is none."""

    def __init__(self, directory: Path) -> None:
        if not (directory / "index.html").is_file():
            raise NoWebmail(f"API_WEBMAIL_DIR: there is no index.html in {directory}")
        self._files = {
            path.relative_to(directory).as_posix(): _file(path)
            for path in directory.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }

    def file(self, name: str) -> File:
        """A file by its path; raises NotFound."""
        found = self._files.get(name)
        if found is None:
            raise NotFound
        return found


def page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The one page, which finds out by its address what to show."""
    return _answer(
        request,
        request.app.state.webmail.file("index.html"),
        _ASK_AGAIN,
        {"Content-Security-Policy": PAGE_POLICY, "Vary": "Accept"},
    )


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Whether somebody with a browser asks, and there is a webmail to show."""
    if request.app.state.webmail is None:
        return False
    return request.accept.best_match([MediaType.JSON, MediaType.HTML]) == MediaType.HTML


@get(
    [
        *("/sign-in", "/sign-up", "/forgot", "/reset", "/invitation", "/verify", "/connect"),
        *("/mail", "/mail/{rest:path}", "/drafts", "/settings", "/settings/{rest:path}"),
    ],
    include_in_schema=False,
)
async def pages(request: Request[Any, Any, Any], rest: str = "") -> Response[bytes]:
    return page(request)


@get("/assets/{name:str}", include_in_schema=False)
async def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    return _answer(request, request.app.state.webmail.file(f"assets/{name}"), _FOR_EVER)


@get("/icon.svg", include_in_schema=False)
async def icon(request: Request[Any, Any, Any]) -> Response[bytes]:
    return _answer(request, request.app.state.webmail.file("icon.svg"), _ASK_AGAIN)


def router() -> Router:
    return Router("/", route_handlers=[pages, asset, icon])


def _answer(
    request: Request[Any, Any, Any],
    file: File,
    caching: str,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    told = {"ETag": file.etag, "Cache-Control": caching, **(headers or {})}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=told)
    return Response(file.content, media_type=file.media_type, headers=told)


def _file(path: Path) -> File:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type == "application/javascript":
        media_type += "; charset=utf-8"
    return File(content, media_type, f'"{sha256(content).hexdigest()[:32]}"')

"""How a file is answered: its name, its type, a range of it, and nothing of it run."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog
from litestar import Response
from litestar.response import Stream

from services.api.domain.file_names import disposition
from services.api.domain.file_types import is_shown, sent_as
from services.api.domain.ranges import Span
from services.api.domain.refusals import Refused

log = structlog.get_logger()

Answer = Response[bytes] | Stream

#: Whatever it is and however it is opened, it runs nothing and loads nothing.
_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; sandbox"
#: Browsers show a PDF in a viewer of their own, which is no page of ours and does not start in a
#: sandbox or where objects are refused.
_PDF = "application/pdf"
_VIEWER_POLICY = "script-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"


def headers_of(
    name: str, content_type: str, *, inline: bool, etag: str | None = None
) -> dict[str, str]:
    """The headers of a file; it is shown in its place only when that was asked for and is safe."""
    shown = inline and is_shown(content_type)
    is_pdf = content_type == _PDF
    headers = {
        "Content-Type": sent_as(content_type),
        "Content-Disposition": disposition("inline" if shown else "attachment", name),
        "Content-Security-Policy": _VIEWER_POLICY if shown and is_pdf else _POLICY,
        "X-Content-Type-Options": "nosniff",
        # It never changes; still we are asked each time, for who may see it may change.
        "Cache-Control": "private, no-cache",
    }
    if etag is not None:
        headers["ETag"] = etag
    return headers


def names(tags: str | None, etag: str) -> bool:
    """Whether If-None-Match names this ETag, or any (RFC 9110 §13.1.2)."""
    if tags is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
    return etag in given or given == ["*"]


def not_modified(headers: dict[str, str]) -> Response[bytes]:
    """Who asks has it already."""
    kept = {name: value for name, value in headers.items() if name in {"ETag", "Cache-Control"}}
    return Response(b"", status_code=304, headers=kept)


def described(headers: dict[str, str], *, size: int | None) -> Response[bytes]:
    """The answer to who asks for the head only; its length, where it is known."""
    known = {} if size is None else {"Content-Length": str(size), "Accept-Ranges": "bytes"}
    return Response(b"", headers=headers | known, media_type=headers["Content-Type"])


async def streamed(
    content: AsyncGenerator[bytes],
    headers: dict[str, str],
    *,
    size: int | None,
    span: Span | None = None,
) -> Stream:
    """The answer, once there is a first byte of it: until then a refusal can still be said."""
    first = await anext(content, b"")
    ranged: dict[str, str] = {}
    if span is not None:
        ranged["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
    if size is not None:
        ranged["Content-Length"] = str(size if span is None else span.size)
        ranged["Accept-Ranges"] = "bytes"
    return Stream(
        _from(first, content),
        status_code=200 if span is None else 206,
        headers=headers | ranged,
        media_type=headers["Content-Type"],
    )


async def _from(first: bytes, others: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(others):
        if first:
            yield first
        try:
            async for data in others:
                yield data
        except Refused as error:
            # Too late to say so: the connection ends before the file does, which is as clear.
            log.warning("file not sent to its end", reason=error.code)
            raise

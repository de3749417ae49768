"""What becomes of an answer on its way out: kept, cut to size, known again, compressed.

Only what is whole, and text: streams of events, files and pictures pass as they are.
"""

import gzip
from asyncio import to_thread
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import zstandard

from services.api.http.fields import only_chosen
from services.api.http.repeating import note_answer
from services.api.http.surroundings import App, Message, Receive, Scope, Send

_TEXT = (b"application/json", b"application/problem+json", b"text/html")
_WORTH_BYTES = 1024  # less is not worth compressing
_LONG_BYTES = 256 * 1024  # more keeps others waiting
_GZIP_LEVEL = 5
_ZSTD_LEVEL = 3
_ENCODINGS = ("zstd", "gzip")  # the best first


class Answers:
    """Looks at each answer that is whole."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "POST"):
            await self._app(scope, receive, send)
            return
        held: Message | None = None  # until the body shows whether it is whole

        async def send_finished(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and (
                scope["method"] == "POST" or _is_text(message)
            ):
                held = message
                return
            if held is None:
                await send(message)
                return
            start, held = held, None
            if not message.get("more_body"):
                body = await _finished(scope, start, message.get("body", b""))
                message = {"type": "http.response.body", "body": body}
            await send(start)
            await send(message)

        await self._app(scope, receive, send_finished)
        if held is not None:  # an answer without a body
            await send(held)


async def _finished(scope: Scope, start: Message, body: bytes) -> bytes:
    """The body as it is sent; the beginning is changed to fit."""
    if scope["method"] == "POST":
        await note_answer(scope, start["status"], start["headers"], body)
        return body
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    if start["status"] == 200:
        body = only_chosen(scope, body)
        # Weak, since the same may be compressed otherwise (RFC 9110 §8.8.3).
        tag = b'W/"' + sha256(body).hexdigest()[:24].encode() + b'"'
        headers.append((b"etag", tag))
        if _matches(tag, _values(scope, b"if-none-match")):
            start["status"] = 304
            start["headers"] = [one for one in headers if one[0] != b"content-type"]
            return b""
    headers.append((b"vary", b"Accept-Encoding"))
    encoding = _encoding(_values(scope, b"accept-encoding"))
    if encoding is not None and len(body) >= _WORTH_BYTES:
        long = len(body) >= _LONG_BYTES
        body = await to_thread(_pressed, encoding, body) if long else _pressed(encoding, body)
        headers.append((b"content-encoding", encoding.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    start["headers"] = headers
    return body


def _pressed(encoding: str, body: bytes) -> bytes:
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body)
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)


def _is_text(start: Message) -> bool:
    for name, value in start["headers"]:
        if name == b"content-type":
            return value.startswith(_TEXT)
    return False


def _values(scope: Any, name: bytes) -> str:
    return ",".join(value.decode("latin-1") for found, value in scope["headers"] if found == name)


def _matches(tag: bytes, given: str) -> bool:
    """Whether the client has it already: compared weakly (RFC 9110 §13.1.2)."""
    opaque = tag.decode().removeprefix("W/")
    return any(one.strip().removeprefix("W/") in (opaque, "*") for one in given.split(","))


def _encoding(accepted: str) -> str | None:
    """The best of ours that the client takes (RFC 9110 §12.5.3)."""
    taken = {name: weight for name, weight in _weighted(accepted.split(",")) if weight > 0}
    return next((encoding for encoding in _ENCODINGS if encoding in taken), None)


def _weighted(parts: Iterable[str]) -> Iterable[tuple[str, float]]:
    for part in parts:
        name, _, weight = part.partition(";")
        try:
            yield name.strip().lower(), float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue

"""What surrounds every request: its id, its time, its log line, and headers that protect."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import structlog
from uuid_utils.compat import uuid7

from services.api.actions.identify_caller import Identity
from services.api.http.limits import headers_of
from services.api.metrics import REQUEST_SECONDS
from shared.telemetry import log_context

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

_log = structlog.get_logger()

_DRAIN_SECONDS = 5.0
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Styles only matter to /docs, the one page there is; nothing else is ever rendered.
_POLICY = (
    b"default-src 'none'; style-src 'unsafe-inline'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PROTECTION = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class Surroundings:
    """The outermost layer, around the framework."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        scope["postbus_request_id"] = request_id
        began = time.perf_counter()
        status = 500
        answered: float | None = None
        # Who waits for a word before sending the body (RFC 9110 §10.1.1) will not send it now.
        sending = not any(value.lower() == b"100-continue" for value in _values(scope, b"expect"))

        async def receive_noting() -> Message:
            nonlocal sending
            message = await receive()
            sending = bool(message.get("more_body"))
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status = message["status"]
                answered = time.perf_counter() - began
                _add_headers(message, request_id, headers_of(scope))
            elif status == 413 and sending and not message.get("more_body"):
                await send({**message, "more_body": True})
                await _drain(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        with log_context(request_id=request_id):
            try:
                await self._app(scope, receive_noting, send_with_headers)
            finally:
                # An event stream lasts as long as somebody listens: what counts is its beginning.
                seconds = time.perf_counter() - began
                streamed = answered is not None and seconds - answered > 1
                _observe(scope, status, answered if streamed and answered else seconds)
                _log_access(scope, status, seconds)


async def _drain(receive: Receive) -> None:
    """Let a client finish, for a while, that only listens when it has said everything.

    Closed while it still sends, the connection would be reset, and the answer lost on its way.
    """
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return


def _request_id(scope: Scope) -> str:
    for value in _values(scope, b"x-request-id"):
        given = value.decode("latin-1")
        if _REQUEST_ID.fullmatch(given):
            return given
    return str(uuid7())


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value.strip() for found, value in scope["headers"] if found == name]


def _add_headers(message: Message, request_id: str, limits: list[tuple[bytes, bytes]]) -> None:
    headers = list(message.get("headers", ()))
    there = {name.lower() for name, _ in headers}
    headers += [header for header in _PROTECTION if header[0] not in there]
    headers += [(b"x-request-id", request_id.encode()), *limits]
    message["headers"] = headers


def _observe(scope: Scope, status: int, seconds: float) -> None:
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = scope.get("path_template") or "none"
    REQUEST_SECONDS.labels(method, route, str(status)).observe(seconds)


def _log_access(scope: Scope, status: int, seconds: float) -> None:
    """One line a request. The path without its query, which may hold what was searched for."""
    who: dict[str, str] = {}
    identity = scope.get("user")
    if isinstance(identity, Identity):
        who = {
            "tenant_id": str(identity.claims.tenant_id),
            "user_id": str(identity.claims.person_id),
        }
    client = scope.get("client")
    _log.info(
        "request",
        method=scope["method"],
        path=scope["path"][:500],
        status=status,
        milliseconds=round(seconds * 1000, 1),
        client=client[0] if client else None,
        **who,
    )

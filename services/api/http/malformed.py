"""What is no HTTP request is answered with a problem, too; no route and no layer ever sees it."""

from typing import Any, cast

import msgspec
from uuid_utils.compat import uuid7
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.api.http.corked import Corked
from services.api.http.problems import PROBLEM_JSON, Problem, phrase

_STATUS = 400


class HttpProtocol(HttpToolsProtocol):
    """HTTP as the gateway speaks it."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(cast(Any, Corked(transport)))

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, and hang up: where the next request begins is unknown."""
        self.transport.write(_answer(str(uuid7())))
        self.transport.close()


def _answer(request_id: str) -> bytes:
    body = msgspec.json.encode(
        Problem(
            type="urn:postbus:problem:malformed_request",
            title=phrase(_STATUS),
            status=_STATUS,
            detail="This is not an HTTP request.",
            code="malformed_request",
            request_id=request_id,
        )
    )
    head = (
        f"HTTP/1.1 {_STATUS} {phrase(_STATUS)}\r\nContent-Type: {PROBLEM_JSON}\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body

"""HEAD: what GET would answer, without the body (RFC 9110 §9.3.2).

Every route that is read answers it. A file is described without being fetched: its length is told
where it is known here. A stream of events has nothing to tell but its body, so that there is none.
"""

from typing import Any

from litestar.connection import ASGIConnection

from services.api.http.surroundings import App, Message, Receive, Scope, Send

_ASKED = "postbus_asks_for_the_head"
_STREAM = b"text/event-stream"


class Heads:
    """Has a HEAD answered as GET is."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD" or _wants_stream(scope):
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] != "http.response.start":
                if message.get("more_body"):
                    return
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            # Whoever writes it has to know why a body of that length does not come, or takes the
            # answer for one that was cut off, and hangs up.
            scope["method"] = "HEAD"
            await send(message)
            scope["method"] = "GET"

        scope["method"] = "GET"
        scope[_ASKED] = True
        try:
            await self._app(scope, receive, send_head)
        finally:
            scope["method"] = "HEAD"


def asks_for_head(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the body would be dropped, and need not be fetched."""
    return bool(connection.scope.get(_ASKED))


def _wants_stream(scope: Scope) -> bool:
    return any(name == b"accept" and _STREAM in value for name, value in scope["headers"])

"""Paths that the API had before /api/v1: each is led to its new name, and says so.

Thin: bodies, parameters and answers are the new ones. docs/earlier-paths.md lists them.
"""

import re
from typing import NamedTuple

from services.api.http.surroundings import App, Message, Receive, Scope, Send

_BASE = "/api/v1"


class Earlier(NamedTuple):
    """A path as it was, and what is asked today instead."""

    method: str
    path: str
    now: str
    as_method: str


def _was(method: str, path: str, now: str, *, as_method: str | None = None) -> Earlier:
    return Earlier(method, path, now, as_method or method)


EARLIER = (
    _was("GET", "/api/accounts", "/accounts"),
    _was("POST", "/api/accounts", "/accounts"),
    _was("GET", "/api/accounts/{id}", "/accounts/{id}"),
    _was("PUT", "/api/accounts/{id}", "/accounts/{id}", as_method="PATCH"),
    _was("DELETE", "/api/accounts/{id}", "/accounts/{id}"),
    _was("POST", "/api/accounts/{id}/test", "/accounts/{id}:test"),
    _was("POST", "/api/sync/imap/{id}", "/accounts/{id}:check"),
    _was("POST", "/api/sync/{id}", "/accounts/{id}:check"),
    _was("GET", "/api/sync/status/{id}", "/accounts/{id}/standing"),
    _was("GET", "/api/sync/search", "/search"),
    _was("POST", "/api/compose", "/drafts"),
    _was("POST", "/api/compose/draft", "/drafts"),
    _was("POST", "/api/compose/{id}/send", "/drafts/{id}/send"),
    _was("POST", "/email/send", "/submissions"),
    _was("GET", "/email/inbox", "/messages"),
    *(
        _was("POST", f"{before}/auth/{what}", f"/auth/{what}")
        for before in ("", "/api")
        for what in (
            *("register", "login", "refresh", "logout", "session", "logout-everywhere"),
            *("forgot-password", "reset-password", "verify-email", "accept-invitation"),
        )
    ),
)


class EarlierPaths:
    """Leads earlier paths to what they are called now."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._plain = {(one.method, one.path): one for one in EARLIER if "{id}" not in one.path}
        self._patterns = [
            (one, re.compile(re.escape(one.path).replace(r"\{id\}", "([^/]+)")))
            for one in EARLIER
            if "{id}" in one.path
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")
        if path.startswith(_BASE) or not path.startswith(("/api/", "/auth/", "/email/")):
            await self._app(scope, receive, send)
            return
        asked = path.rstrip("/")
        found = self._plain.get((scope["method"], asked))
        now = found and found.now
        for one, pattern in self._patterns if found is None else ():
            known = pattern.fullmatch(asked)
            if known is not None and one.method == scope["method"]:
                found, now = one, one.now.replace("{id}", known[1])
                break
        if found is None or now is None:
            await self._app(scope, receive, send)
            return
        successor = f'<{_BASE}{now}>; rel="successor-version"'.encode("utf-8", "replace")

        async def send_with_link(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"link", successor)]
            await send(message)

        method = scope["method"]
        scope["path"], scope["method"] = _BASE + now, found.as_method
        try:
            await self._app(scope, receive, send_with_link)
        finally:  # the log says what was asked
            scope["path"], scope["method"] = path, method

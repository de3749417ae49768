"""What is done to one thing, beside reading, changing and removing it: `POST /jobs/{id}:undo`.

A route of that kind is declared by `verb`, spelt as it is documented:

    @verb("/{job_id:str}:undo", summary="…", security=needs(Scope.MAIL_WRITE))

The framework's router tells whole segments apart only. So such a route stands there as
`/{job_id}/undo`, which callers may say as well, and what is said with a colon is led to it.
Documents and metrics have the colon, and the log has what was asked.
"""

import re
from collections.abc import Iterable, Mapping

from litestar import Litestar, post
from litestar.openapi.spec import OpenAPI

from services.api.http.scopes import Security
from services.api.http.surroundings import App, Receive, Scope, Send

_SPELT = re.compile(r"((?:/[^/:]+|/\{\w+:str\})*/\{\w+:str\}):([a-z][a-z-]*)")
_MARK = "is_a_verb"


def verb(
    path: str,
    *,
    summary: str,
    security: Security,
    description: str | None = None,
    status_code: int = 202,
    opt: Mapping[str, object] | None = None,
) -> post:
    """A route that does something to what its path names, as `/{job_id:str}:undo`."""
    found = _SPELT.fullmatch(path)
    if found is None:
        raise ValueError(f"{path} is not the path of a thing, a colon, and a verb.")
    return post(
        f"{found[1]}/{found[2]}",
        status_code=status_code,
        summary=summary,
        description=description,
        security=security,
        opt={**(opt or {}), _MARK: True},
    )


class Verbs:
    """Leads what is asked with a colon to its route."""

    def __init__(self, app: App, templates: Iterable[str]) -> None:
        self._app = app
        self._spelt = {template: with_colon(template) for template in templates}
        asked = "|".join(map(_pattern, self._spelt.values()))
        self._asked = re.compile(f"({asked})/?") if asked else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if ":" in path and self._asked is not None and self._asked.fullmatch(path):
            scope["path"] = with_slash(path)
        try:
            await self._app(scope, receive, send)
        finally:
            if path:
                scope["path"] = path
            template = scope.get("path_template")
            if template in self._spelt:
                scope["path_template"] = self._spelt[template]


def verbs_of(app: Litestar) -> list[str]:
    """The templates of all verbs, as the router has them: `/api/v1/jobs/{job_id}/undo`."""
    return [
        route.path_format
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if handler.opt.get(_MARK)
    ]


def spell(document: OpenAPI, templates: Iterable[str]) -> None:
    """Let the document have the colon."""
    there = set(templates)
    document.paths = {
        with_colon(path) if path in there else path: item
        for path, item in (document.paths or {}).items()
    }


def with_colon(path: str) -> str:
    thing, _, done = path.rpartition("/")
    return f"{thing}:{done}"


def with_slash(path: str) -> str:
    thing, _, done = path.rpartition(":")
    return f"{thing}/{done}"


def _pattern(template: str) -> str:
    return re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))

"""The front door: what this is, and where its documents are."""

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from litestar import MediaType, Request, Response, Router, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from msgspec import Struct

from services.api.domain.logbook import EventType
from services.api.domain.refusals import NotFound
from services.api.http.docs import PageRenderPlugin
from services.api.http.moments import Moment
from services.api.http.scopes import BEARER, COOKIE
from services.api.http.signed_in import COOKIE as COOKIE_NAME
from services.api.http.webmail import page, wants_page


class Home(Struct, frozen=True, kw_only=True):
    """What this is."""

    name: str
    about: str
    version: str
    api: str
    openapi: str
    docs: str


@get("/", include_in_schema=False)
async def home(request: Request[Any, Any, Any]) -> Response[Any]:
    """For a browser the webmail, where there is one; else what this is."""
    if wants_page(request):
        return page(request)
    about = Home(
        name="Postbus",
        about="An e-mail platform: your mail accounts behind one HTTP API and one event log.",
        version=release(),
        api="/api/v1",
        openapi="/api/v1/openapi.json",
        docs="/docs",
    )
    return Response(about, headers={"Vary": "Accept"})


class Health(Struct, frozen=True, kw_only=True):
    """That this process answers; whether it can work, /ready on its probe port says."""

    status: Literal["ok"]
    service: Literal["api"]
    version: str
    timestamp: Moment


@get("/health", include_in_schema=False)
async def health() -> Health:
    return Health(status="ok", service="api", version=release(), timestamp=datetime.now(UTC))


@get("/api/v1/openapi.json", include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(request.app.state.openapi, media_type=MediaType.JSON)


_ABOUT = (
    """\
Mail accounts behind one HTTP API and one ordered event log.

`POST /api/v1/auth/register` or `/login` gives an `access_token`, good for some minutes. Send it \
with every other request: `Authorization: Bearer …`. `/auth/refresh` gives the next.

What goes wrong is an RFC 9457 problem with a stable `code`; `errors` names each part of the \
request that is wrong, by `pointer` or `parameter`, with a `code` of its own. After 429 and 503, \
`Retry-After` may say when to come again.

What holds for every request (tokens, scopes, repeating, limits) is in docs/api.md.

Lists are pages: ask on with `next_cursor` until it is null. Words in enums may become more; take \
one that you do not know as `other`.

`GET /api/v1/events` tells of everything that happens. Types of events, each explained in \
docs/api-events.md: """
    + ", ".join(f"`{kind}`" for kind in EventType)
    + "."
)


def openapi() -> OpenAPIConfig:
    """The document that describes the API."""
    return OpenAPIConfig(
        title="Postbus",
        version=release(),
        description=_ABOUT,
        path="/docs",
        openapi_router=Router(
            "/docs", route_handlers=[], guards=[_is_a_document], include_in_schema=False
        ),
        render_plugins=[PageRenderPlugin(), JsonRenderPlugin()],
        security=[{BEARER: []}, {COOKIE: []}],
        components=Components(
            security_schemes={
                BEARER: SecurityScheme(
                    type="http",
                    scheme="bearer",
                    bearer_format="JWT",
                    description=(
                        "The `access_token` of register, login or refresh, or an API token "
                        "(`pbt_…`). Each operation names the scopes it needs; `session` says "
                        "that no API token will do."
                    ),
                ),
                COOKIE: SecurityScheme(
                    type="apiKey",
                    name=COOKIE_NAME,
                    security_scheme_in="cookie",
                    description=(
                        "A session of a browser, opened by `POST /auth/session`. Requests that "
                        "change something must come from a page of this server."
                    ),
                ),
            }
        ),
        use_handler_docstrings=True,
    )


def _is_a_document(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """The framework has a page of its own for what is not there below /docs; we have problems."""
    if connection.path_params:
        raise NotFound


def release() -> str:
    """The version of this release."""
    try:
        return version("postbus")
    except PackageNotFoundError:
        return "unreleased"

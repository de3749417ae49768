"""The HTTP API, put together."""

from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from services.api.domain.refusals import Refused
from services.api.http import (
    account_tests,
    accounts,
    attachments,
    audit,
    auth,
    budget,
    changing,
    changing_mailboxes,
    changing_submissions,
    connect_links,
    connecting,
    discovery,
    drafts,
    events,
    exports,
    identities,
    image_senders,
    images,
    jobs,
    labels,
    mailboxes,
    me,
    members,
    messages,
    my_settings,
    oauth_providers,
    problems,
    profile,
    saved_searches,
    search,
    sharing,
    standing,
    submissions,
    suppressions,
    tenant,
    threads,
    tokens,
    unsubscribing,
    uploads,
    webhooks,
    webmail,
)
from services.api.http.answers import Answers
from services.api.http.bodies import ApiRequest
from services.api.http.described import complete
from services.api.http.earlier import EarlierPaths
from services.api.http.fields import chosen, fields_of
from services.api.http.heads import Heads
from services.api.http.home import health, home, openapi, openapi_json
from services.api.http.limits import Policies, within_limits
from services.api.http.reference import refer
from services.api.http.repeating import UNKEPT, answered_before, say_in
from services.api.http.scopes import mark_open, refuse_undeclared
from services.api.http.signed_in import Asking, signed_in
from services.api.http.surroundings import Surroundings
from services.api.http.verbs import Verbs, spell, verbs_of, with_colon
from services.api.http.webmail import Webmail
from services.api.settings import Settings
from services.api.world import World

BASE = "/api/v1"


def gateway(world: World) -> Surroundings:
    """The ASGI app: the API under /api/v1, and its documents."""
    app = application(world)
    return Surroundings(EarlierPaths(Heads(Verbs(Answers(app), verbs_of(app)))))


def application(world: World) -> Litestar:
    """The routes, and the document that describes them, in `state.openapi`."""
    taking, fetching = exports.routers()
    for_the_signed_in = Router(
        "/",
        guards=[signed_in],
        before_request=_before,
        route_handlers=[
            accounts.router(),
            identities.router(),
            *account_tests.routers(),
            discovery.router(),
            oauth_providers.router(),
            connect_links.router(),
            standing.router(),
            budget.router(),
            profile.router(),
            mailboxes.router(),
            labels.router(),
            messages.router(),
            unsubscribing.router(),
            threads.router(),
            *changing.routers(),
            changing_mailboxes.router(),
            jobs.router(),
            attachments.router(),
            uploads.router(world.settings),
            image_senders.router(),
            search.router(),
            *saved_searches.routers(),
            suppressions.router(),
            submissions.router(),
            changing_submissions.router(),
            drafts.router(),
            events.router(),
            taking,
            sharing.router(),
            me.router(),
            *members.routers(),
            audit.router(),
            *tenant.routers(),
            my_settings.router(),
            tokens.router(),
            webhooks.router(),
        ],
    )
    handlers: dict[Any, Any] = {
        Refused: problems.on_refused,
        problems.Invalid: problems.on_invalid,
        problems.Malformed: problems.on_malformed,
        HTTPException: problems.on_http_exception,
        Exception: problems.on_error,
    }
    app = Litestar(
        [
            home,
            health,
            openapi_json,
            connecting.router(),
            *([webmail.router()] if world.settings.webmail_dir else []),
            Router(
                BASE,
                route_handlers=[
                    auth.router(),
                    images.router(),
                    attachments.links(),
                    tenant.proofs(),
                    fetching,
                    for_the_signed_in,
                ],
            ),
        ],
        debug=False,
        cors_config=_cors(world.settings),
        guards=[within_limits],
        exception_handlers=handlers,
        logging_config=None,
        openapi_config=openapi(),
        request_class=ApiRequest,
        request_max_body_size=world.settings.request_body_max_bytes,
        state=State(
            {
                "world": world,
                "webmail": Webmail(world.settings.webmail_dir)
                if world.settings.webmail_dir
                else None,
                "image_limits": images.limits(world.settings),
                "discovery_means": discovery.means(world.settings),
                "policies": Policies(world.settings),
            }
        ),
    )

    refuse_undeclared(app)
    verbs = verbs_of(app)
    spell(app.openapi_schema, verbs)
    mark_open(app.openapi_schema)
    complete(app.openapi_schema)
    say_in(
        app.openapi_schema,
        frozenset(
            with_colon(route.path_format) if route.path_format in verbs else route.path_format
            for route in app.routes
            for handler in getattr(route, "route_handlers", ())
            if UNKEPT in handler.opt
        ),
    )
    refer(app.openapi_schema)
    app.state.fields = fields_of(app.openapi_schema)
    app.state.openapi = msgspec.json.encode(app.openapi_schema.to_schema())
    return app


async def _before(request: Asking) -> Any:
    """What is looked at before a request is carried out, whatever it is for."""
    await chosen(request)
    return await answered_before(request)


def _cors(settings: Settings) -> CORSConfig | None:
    """Pages of these origins may use the API; whoever they are, they need a token of their own."""
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    if not origins:
        return None
    return CORSConfig(
        allow_origins=origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            *("Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"),
            *("Last-Event-ID", "Range", "X-Request-ID", settings.tenant_header),
        ],
        expose_headers=[
            *("ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-ID"),
            *("Idempotency-Replayed", "Content-Disposition", "Content-Range"),
        ],
        max_age=3600,
    )

"""The HTTP API, put together."""

from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException

from services.api.domain.refusals import Refused
from services.api.http import (
    accounts,
    attachments,
    auth,
    changing,
    changing_mailboxes,
    events,
    images,
    jobs,
    mailboxes,
    me,
    messages,
    problems,
    search,
    standing,
    submissions,
    tokens,
    uploads,
)
from services.api.http.bodies import ApiRequest
from services.api.http.described import complete
from services.api.http.home import home, openapi, openapi_json
from services.api.http.limits import Policies, within_limits
from services.api.http.reference import refer
from services.api.http.scopes import mark_open, refuse_undeclared
from services.api.http.signed_in import signed_in
from services.api.http.surroundings import Surroundings
from services.api.http.verbs import Verbs, spell, verbs_of
from services.api.world import World

BASE = "/api/v1"


def gateway(world: World) -> Surroundings:
    """The ASGI app: the API under /api/v1, its documents, and the probes."""
    for_the_signed_in = Router(
        "/",
        guards=[signed_in],
        route_handlers=[
            accounts.router(),
            standing.router(),
            mailboxes.router(),
            messages.router(),
            *changing.routers(),
            changing_mailboxes.router(),
            jobs.router(),
            attachments.router(),
            uploads.router(world.settings),
            search.router(),
            submissions.router(),
            events.router(),
            me.router(),
            tokens.router(),
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
            openapi_json,
            Router(BASE, route_handlers=[auth.router(), images.router(), for_the_signed_in]),
        ],
        debug=False,
        guards=[within_limits],
        exception_handlers=handlers,
        logging_config=None,
        openapi_config=openapi(),
        request_class=ApiRequest,
        request_max_body_size=world.settings.request_body_max_bytes,
        state=State(
            {
                "world": world,
                "image_limits": images.limits(world.settings),
                "policies": Policies(world.settings),
            }
        ),
    )

    refuse_undeclared(app)
    verbs = verbs_of(app)
    spell(app.openapi_schema, verbs)
    mark_open(app.openapi_schema)
    complete(app.openapi_schema)
    refer(app.openapi_schema)
    app.state.openapi = msgspec.json.encode(app.openapi_schema.to_schema())

    async def database() -> None:
        await world.pool.fetchval("SELECT 1")

    async def bus() -> bool:
        return world.bus.is_connected

    return Surroundings(Verbs(app, verbs), {"database": database, "bus": bus})

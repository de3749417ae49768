"""Who asks. Every route but signing in stands behind this guard."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from services.api.actions.identify_caller import Identity, claims_shown, identify_caller
from services.api.domain.refusals import NotFound, TokenRefused
from services.api.http.limits import spend_as
from services.api.world import World
from shared.contracts.ids import Kind, NotAnId, read, shown

Asking: TypeAlias = Request[Identity, Any, Any]

TENANT_HEADER = "x-tenant-id"


async def signed_in(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Let only those in whose token is good, before anything of the request is looked at."""
    world = world_of(connection)
    claims = claims_shown(_bearer(connection.headers), world.issuer.keys)
    named = connection.headers.get(TENANT_HEADER)
    if named is not None and named not in (
        shown(Kind.TENANT, claims.tenant_id),
        str(claims.tenant_id),
    ):
        raise TokenRefused("X-Tenant-ID names another tenant than the token.")
    identity = await identify_caller(world.pool, claims, request_id_of(connection))
    connection.scope["user"] = identity
    await spend_as(connection, handler, str(claims.person_id))
    structlog.contextvars.bind_contextvars(
        tenant_id=str(claims.tenant_id), user_id=str(claims.person_id)
    )


def world_of(connection: ASGIConnection[Any, Any, Any, Any]) -> World:
    world: World = connection.app.state.world
    return world


def request_id_of(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    scope: Mapping[str, Any] = connection.scope
    return scope.get("postbus_request_id")


def id_of(kind: Kind, text: str, missing: Callable[[], Exception] = NotFound) -> UUID:
    """The UUID behind an id in a path; what is no id of that kind is not there."""
    try:
        return read(kind, text)
    except NotAnId:
        raise missing() from None


def _bearer(headers: Mapping[str, str]) -> str:
    """The token of an Authorization header (RFC 6750 §2.1)."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("An access token is needed: Authorization: Bearer …")
    return token.strip()

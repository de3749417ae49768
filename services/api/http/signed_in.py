"""Who asks, by what proof, and whether they may. Every route but signing in is behind this guard.

A cookie comes by itself with whatever a browser is made to send, so what changes something with
one must come from a page of this server: the browser says so in Sec-Fetch-Site, which no page can
set, or else in Origin (OWASP, Cross-Site Request Forgery Prevention: Fetch Metadata with a fall
back to the origin). SameSite=Strict stands before that.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

import structlog
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from services.api.actions.identify_caller import (
    Identity,
    Proof,
    api_token_shown,
    claims_shown,
    cookie_shown,
    find_access,
    identity_of,
)
from services.api.domain.refusals import ForeignOrigin, NotFound, TokenRefused
from services.api.domain.tokens import API_TOKEN_PREFIX
from services.api.http.limits import client_of, spend_as, spend_of_tenant
from services.api.http.scopes import permit
from services.api.world import World
from shared.contracts.ids import Kind, NotAnId, read, shown

Asking: TypeAlias = Request[Identity, Any, Any]


#: The cookie of a session. A name that begins so is only taken from here, and over TLS.
COOKIE = "__Host-postbus"
#: Where there is no TLS to be had: this machine alone.
LOOPBACK_COOKIE = "postbus"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


async def signed_in(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Let only those in whose token is good and reaches so far, before anything else is judged."""
    world = world_of(connection)
    proof = _proof(connection)
    request_id, address = request_id_of(connection), client_of(connection)
    # A page asks for many things in one moment: who asks is then found out once for those who wait.
    access = await world.sharing.anew(
        ("access", proof, address),
        lambda: find_access(
            world.pool,
            proof,
            request_id,
            address=address,
            session_lives=world.issuer.refresh_lives,
        ),
    )
    identity = identity_of(proof, access, request_id, address)
    claims = identity.claims
    header = world.settings.tenant_header
    named = connection.headers.get(header)
    if named is not None and named not in (
        shown(Kind.TENANT, claims.tenant_id),
        str(claims.tenant_id),
    ):
        raise TokenRefused(f"{header} names another tenant than the token.")
    connection.scope["user"] = identity
    await spend_as(connection, handler, str(claims.person_id))
    if identity.requests_per_minute is not None:
        await spend_of_tenant(connection, str(claims.tenant_id), identity.requests_per_minute)
    structlog.contextvars.bind_contextvars(
        tenant_id=str(claims.tenant_id), user_id=str(claims.person_id)
    )
    permit(connection, handler, verified_only=world.settings.require_verified_email)


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


def tenant_named(text: str, missing: Callable[[], Exception] = NotFound) -> UUID:
    """The tenant that somebody names, as we show ids or as a UUID."""
    try:
        return UUID(text)
    except ValueError:
        return id_of(Kind.TENANT, text, missing)


def is_loopback(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the browser asked this machine itself, by the name it was given."""
    host = connection.headers.get("host", "").lower()
    return host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK


def refuse_foreign(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Only pages of this server come further; raises ForeignOrigin."""
    headers = connection.headers
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site != "same-origin":
            raise ForeignOrigin
        return
    # A browser too old for Fetch Metadata names at least the origin with whatever is no GET.
    _, _, origin = headers.get("origin", "").lower().partition("://")
    if not origin or origin != headers.get("host", "").lower():
        raise ForeignOrigin


def _proof(connection: ASGIConnection[Any, Any, Any, Any]) -> Proof:
    if "authorization" not in connection.headers:
        cookies = connection.cookies
        secret = cookies.get(COOKIE)
        if secret is None and is_loopback(connection):
            secret = cookies.get(LOOPBACK_COOKIE)
        if secret is not None:
            if connection.scope.get("method") not in _SAFE:
                refuse_foreign(connection)
            return cookie_shown(secret)
    token = _bearer(connection.headers)
    if token.startswith(API_TOKEN_PREFIX):
        return api_token_shown(token)
    return claims_shown(token, world_of(connection).issuer.keys)


def _bearer(headers: Mapping[str, str]) -> str:
    """The token of an Authorization header (RFC 6750 §2.1)."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenRefused("An access token is needed: Authorization: Bearer …")
    return token.strip()

"""Which scope each route needs, declared beside it and enforced from there.

    @get("", summary="List accounts", security=needs(Scope.MAIL_READ))

The declaration is the route's security in the OpenAPI document (OpenAPI 3.1, Security
Requirement: the roles a scheme of another kind than OAuth asks for), and what `permit` enforces is
read from it: the two cannot differ. A route that declares nothing keeps the gateway from starting.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.spec import OpenAPI, Operation

from services.api.actions.identify_caller import Identity
from services.api.domain.refusals import AddressUnverified, NotPermitted
from services.api.domain.rights import Scope
from shared.contracts.ids import Kind, NotAnId, read

BEARER = "bearer"
COOKIE = "cookie"
SESSION = "session"  # no scope: somebody who has signed in, and no API token

Security = Sequence[dict[str, list[str]]]

#: For everybody. Links and secrets of their own may still be asked for.
OPEN: Security = ({},)


def needs(*scopes: Scope) -> Security:
    """Who is signed in, or an API token, with these scopes; without any, whoever it is."""
    names = [scope.value for scope in scopes]
    return ({BEARER: names}, {COOKIE: names})


def needs_session(*scopes: Scope) -> Security:
    """Who is signed in, with these scopes. No API token: it would give more than it is."""
    names = [SESSION, *(scope.value for scope in scopes)]
    return ({BEARER: names}, {COOKIE: names})


class Undeclared(Exception):
    """A route does not say what it needs."""


def refuse_undeclared(app: Litestar) -> None:
    """Every route under the API says what it needs; raises Undeclared."""
    for route in app.routes:
        handlers: tuple[HTTPRouteHandler, ...] = getattr(route, "route_handlers", ())
        for handler in handlers:
            if handler.resolve_include_in_schema() and not handler.security:
                raise Undeclared(f"{route.path} needs `security=needs(…)` or `security=OPEN`.")


def permit(
    connection: ASGIConnection[Any, Any, Any, Any],
    handler: BaseRouteHandler,
    *,
    verified_only: bool,
) -> None:
    """Let only those in who have what the route needs; raises NotPermitted.

    Who must be verified first, and is not, may do what needs no scope: see to themselves.
    """
    identity: Identity = connection.scope["user"]
    declared: Security = getattr(handler, "security", None) or OPEN
    needed = declared[0][BEARER]
    if verified_only and not identity.is_verified and set(needed) - {SESSION}:
        raise AddressUnverified
    for name in needed:
        if name == SESSION:
            if identity.by_token:
                raise NotPermitted("This is for people who have signed in, not for API tokens.")
        elif name not in identity.scopes:
            raise NotPermitted(f"This needs the scope {name}, which your role or token lacks.")
    if Scope.ACCOUNT_ADMIN in needed:
        _permit_account(identity, connection.path_params.get("account_id"))


def _permit_account(identity: Identity, named: str | None) -> None:
    """An account is administered by whom it belongs to, and by admins who may see it."""
    if named is None:
        if identity.is_bound:
            raise NotPermitted("This token is bound to accounts, so it connects no other.")
        return
    try:
        account_id = read(Kind.ACCOUNT, named)
    except NotAnId:
        return  # not there, as the route will say
    visible = account_id in identity.caller.account_ids
    if visible and account_id not in identity.administers:
        raise NotPermitted("This account is shared with you; it is not yours to change.")


def operations(document: OpenAPI) -> Iterator[Operation]:
    for item in (document.paths or {}).values():
        for operation in (item.get, item.post, item.patch, item.put, item.delete):
            if operation is not None:
                yield operation


def mark_open(document: OpenAPI) -> None:
    """What everybody may ask for needs nothing: an empty list, as readers expect."""
    for operation in operations(document):
        if operation.security == list(OPEN):
            operation.security = []

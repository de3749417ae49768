"""/connect-links: links by which people connect their mailboxes, without signing in here."""

from datetime import timedelta
from typing import Annotated, Any

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import Field, StringConstraints
from uuid_utils.compat import uuid7

from services.api.actions.begin_consent import random_secret
from services.api.actions.make_connect_link import make_connect_link
from services.api.domain.refusals import NotFound, NotPermitted
from services.api.domain.rights import Scope
from services.api.domain.tokens import secret_hash
from services.api.http.bodies import Body, EmailAddress, Line, Name
from services.api.http.connecting import here, page_of
from services.api.http.moments import Moment
from services.api.http.oauth_providers import WebUrl
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.repeating import UNKEPT
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import connect_links
from services.api.store.connect_links import ConnectLink
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction

_PREFIX = "pbc_"
_DAY = 24 * 3600


class NewConnectLink(Body):
    """For whom a link is, and what they may do with it."""

    account_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None,
        description="An account to connect again, with all its mail and ids. Left out: a new one.",
    )
    email: EmailAddress | None = Field(default=None, description="Filled in on the page.")
    name: Name = Field(default="", description="What the new account is called.")
    providers: (
        Annotated[
            list[Annotated[Line, StringConstraints(min_length=1, max_length=32)]],
            Field(min_length=1, max_length=50),
        ]
        | None
    ) = Field(default=None, description="OAuth2 providers that are offered. Left out: all.")
    password_allowed: bool = Field(
        default=True, description="Whether one may also give servers and a password."
    )
    return_url: WebUrl | None = Field(
        default=None,
        description="Where to lead the browser at the end: one of"
        " `/tenant/connect-return-urls`, with any query, or a page of ours. `connect_status`,"
        " `connect_link_id` and `account_id` are added to it.",
    )
    expires_in: Annotated[int, Field(ge=60, le=30 * _DAY)] = Field(
        default=_DAY, description="Seconds."
    )


class ShownConnectLink(Struct, frozen=True, kw_only=True):
    """A link, and what became of it. `connected_account_id` is set when somebody used it."""

    id: str
    account_id: str | None
    email: str | None
    name: str
    providers: list[str] | None
    password_allowed: bool
    return_url: str | None
    created_at: Moment
    expires_at: Moment
    completed_at: Moment | None
    connected_account_id: str | None


class MadeConnectLink(ShownConnectLink, frozen=True, kw_only=True):
    """The link itself is shown once. Whoever has it connects one mailbox to this tenant."""

    url: str


@post(
    "",
    summary="Make a link by which somebody connects a mailbox",
    security=needs(Scope.ACCOUNT_ADMIN),
    opt={UNKEPT: True},
)
async def create(request: Asking, data: JSONBody[NewConnectLink]) -> Response[MadeConnectLink]:
    """Good once, and for a while. Whoever opens it gives their consent to their provider, or
    servers and a password; then the account is yours. `connect_link.completed` says so.
    """
    world, caller = world_of(request), request.user.caller
    person_id = caller.person_id
    if person_id is None:
        raise NotPermitted
    account_id = None if data.account_id is None else id_of(Kind.ACCOUNT, data.account_id)
    if account_id is not None and account_id not in request.user.administers:
        raise NotFound
    token, now = _PREFIX + random_secret(), world.clock()
    link = ConnectLink(
        tenant_id=caller.tenant_id,
        link_id=uuid7(),
        made_by=person_id,
        account_id=account_id,
        name=data.name,
        email=data.email,
        providers=data.providers,
        password_allowed=data.password_allowed,
        return_url=data.return_url,
        created_at=now,
        expires_at=now + timedelta(seconds=data.expires_in),
    )
    await make_connect_link(
        world.request_pool,
        caller,
        link,
        secret_hash(token),
        world.settings.oauth_installed,
        here(request),
    )
    made = MadeConnectLink(**_fields(link), url=page_of(request, token))
    headers = {"Location": f"/api/v1/connect-links/{made.id}"}
    return Response(made, status_code=201, headers=headers)


class ConnectLinks(Page[ShownConnectLink], frozen=True, kw_only=True):
    """Links that were made, the newest first; those that are over are forgotten after a while."""


@get(
    "",
    summary="List the links that were made, and what became of them",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def list_all(request: Asking, limit: Limit = 50, cursor: Cursor = None) -> ConnectLinks:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found, last = await connect_links.page(connection, caller.tenant_id, after(cursor), limit)
    return ConnectLinks(
        items=[ShownConnectLink(**_fields(link)) for link in found],
        next_cursor=last and last.shown(),
    )


@get("/{link_id:str}", summary="What became of a link", security=needs(Scope.ACCOUNT_ADMIN))
async def get_one(request: Asking, link_id: FromPath[str]) -> ShownConnectLink:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        link = await connect_links.by_id(
            connection, caller.tenant_id, id_of(Kind.CONNECT_LINK, link_id)
        )
    if link is None:
        raise NotFound
    return ShownConnectLink(**_fields(link))


@delete(
    "/{link_id:str}",
    status_code=204,
    summary="Let a link be good no more",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def remove(request: Asking, link_id: FromPath[str]) -> None:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        if not await connect_links.remove(
            connection, caller.tenant_id, id_of(Kind.CONNECT_LINK, link_id)
        ):
            raise NotFound


def router() -> Router:
    return Router(
        "/connect-links", route_handlers=[create, list_all, get_one, remove], tags=["accounts"]
    )


def _fields(link: ConnectLink) -> dict[str, Any]:
    return {
        "id": shown(Kind.CONNECT_LINK, link.link_id),
        "account_id": link.account_id and shown(Kind.ACCOUNT, link.account_id),
        "email": link.email,
        "name": link.name,
        "providers": link.providers,
        "password_allowed": link.password_allowed,
        "return_url": link.return_url,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "completed_at": link.completed_at,
        "connected_account_id": link.connected_id and shown(Kind.ACCOUNT, link.connected_id),
    }

"""/accounts/{id}/identities: who an account's owner writes as."""

from typing import Annotated

from litestar import Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct, structs
from pydantic import ConfigDict, StringConstraints

from services.api.actions.change_identities import (
    add_identity,
    change_identity,
    remove_identity,
)
from services.api.domain.identities import Identity
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, EmailAddress, Name
from services.api.http.messages import Person
from services.api.http.recipients import People
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import accounts, identities
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction

Signature = Annotated[str, StringConstraints(max_length=100_000)]


class NewIdentity(Body):
    """An address to write from."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: Name = ""
    email: EmailAddress
    reply_to: People = ()
    signature_text: Signature = ""
    signature_html: Signature = ""
    is_default: bool = False


class ChangedIdentity(Body):
    """What is to be different about an identity; what is left out stays."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: Name | None = None
    email: EmailAddress | None = None
    reply_to: People | None = None
    signature_text: Signature | None = None
    signature_html: Signature | None = None
    is_default: bool | None = None


class ShownIdentity(Struct, frozen=True, kw_only=True):
    """Who somebody writes as. An account's own address is always among its identities."""

    id: str
    account_id: str
    name: str
    email: str
    reply_to: list[Person]
    signature_text: str
    signature_html: str
    is_default: bool
    is_own: bool


class Identities(Struct, frozen=True, kw_only=True):
    """All identities of an account, its own first."""

    items: list[ShownIdentity]


@get("", summary="Who an account's owner writes as", security=needs(Scope.MAIL_READ))
async def list_all(request: Asking, account_id: FromPath[str]) -> Identities:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        account = await accounts.by_id(
            connection, caller.tenant_id, id_of(Kind.ACCOUNT, account_id)
        )
        if account is None:
            raise NotFound
        found = await identities.of_account(connection, caller.tenant_id, account)
    return Identities(items=[_shown(one) for one in found])


@post("", summary="Add an address to write from", security=needs(Scope.ACCOUNT_ADMIN))
async def create(
    request: Asking, account_id: FromPath[str], data: JSONBody[NewIdentity]
) -> Response[ShownIdentity]:
    account = id_of(Kind.ACCOUNT, account_id)
    made = await add_identity(
        world_of(request).request_pool,
        request.user.caller,
        account,
        lambda identity_id: Identity(
            identity_id=identity_id,
            account_id=account,
            name=data.name,
            email=data.email,
            reply_to=data.reply_to,
            signature_text=data.signature_text,
            signature_html=data.signature_html,
            is_default=data.is_default,
        ),
    )
    answer = _shown(made)
    location = f"/api/v1/accounts/{answer.account_id}/identities/{answer.id}"
    return Response(answer, status_code=201, headers={"Location": location})


@patch(
    "/{identity_id:str}",
    summary="Change who somebody writes as",
    security=needs(Scope.ACCOUNT_ADMIN),
)
async def change(
    request: Asking,
    account_id: FromPath[str],
    identity_id: FromPath[str],
    data: JSONBody[ChangedIdentity],
) -> ShownIdentity:
    given = {name: getattr(data, name) for name in data.model_fields_set}
    wanted = {name: value for name, value in given.items() if value is not None}
    changed = await change_identity(
        world_of(request).request_pool,
        request.user.caller,
        id_of(Kind.ACCOUNT, account_id),
        id_of(Kind.IDENTITY, identity_id),
        lambda before: structs.replace(before, **wanted),
    )
    return _shown(changed)


@delete("/{identity_id:str}", summary="Write as this no more", security=needs(Scope.ACCOUNT_ADMIN))
async def remove(request: Asking, account_id: FromPath[str], identity_id: FromPath[str]) -> None:
    await remove_identity(
        world_of(request).request_pool,
        request.user.caller,
        id_of(Kind.ACCOUNT, account_id),
        id_of(Kind.IDENTITY, identity_id),
    )


def router() -> Router:
    return Router(
        "/accounts/{account_id:str}/identities",
        route_handlers=[list_all, create, change, remove],
        tags=["identities"],
    )


def _shown(identity: Identity) -> ShownIdentity:
    return ShownIdentity(
        id=shown(Kind.IDENTITY, identity.identity_id),
        account_id=shown(Kind.ACCOUNT, identity.account_id),
        name=identity.name,
        email=identity.email,
        reply_to=[Person(name=one.name, email=one.email) for one in identity.reply_to],
        signature_text=identity.signature_text,
        signature_html=identity.signature_html,
        is_default=identity.is_default,
        is_own=identity.is_own,
    )

"""/tokens: what programs are given to speak for somebody."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, JSONBody
from msgspec import Struct
from pydantic import AwareDatetime, Field, StringConstraints

from services.api.actions.make_token import make_token
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, Line
from services.api.http.moments import Moment
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.repeating import UNKEPT
from services.api.http.scopes import needs_session
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import audit_log
from services.api.store import tokens as store
from shared.contracts.ids import Kind, NotAnId, read, shown
from shared.db import tenant_transaction

_MOST_ACCOUNTS = 100

TokenName = Annotated[Line, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class NewToken(Body):
    """A token to make: what it is for, what it may do, and for how long."""

    name: TokenName
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=len(Scope))]
    account_ids: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=64)], ...] | None,
        Field(min_length=1, max_length=_MOST_ACCOUNTS),
    ] = Field(default=None, description="These accounts only; left out, all that you may see.")
    expires_at: AwareDatetime | None = Field(default=None, description="Left out, never.")


class ApiToken(Struct, frozen=True, kw_only=True):
    """An API token, as it is known afterwards: never what proves it."""

    id: str
    name: str
    prefix: str  # how it begins
    scopes: list[str]
    account_ids: list[str] | None
    created_at: Moment
    expires_at: Moment | None
    used_at: Moment | None  # to the minute
    used_from: str | None  # the address


class MadeToken(Struct, frozen=True, kw_only=True):
    """A new token. `secret` is shown this once: keep it where secrets are kept."""

    token: ApiToken
    secret: str


class ApiTokens(Struct, frozen=True, kw_only=True):
    """Your API tokens, the newest first."""

    items: list[ApiToken]


@post(
    "",
    security=needs_session(),
    summary="Make an API token; it never may more than you",
    opt={UNKEPT: True},
)
async def create(request: Asking, data: JSONBody[NewToken]) -> Response[MadeToken]:
    identity = request.user
    errors = [
        FieldProblem(
            pointer=f"/scopes/{place}",
            message="Your role does not have this.",
            code="not_permitted",
        )
        for place, scope in enumerate(data.scopes)
        if scope not in identity.scopes
    ]
    account_ids, unknown = _accounts(request, data.account_ids)
    errors += unknown
    if data.expires_at is not None and data.expires_at <= datetime.now(UTC):
        errors.append(
            FieldProblem(pointer="/expires_at", message="This has passed.", code="in_the_past")
        )
    if errors:
        raise Invalid(errors)
    token, secret = await make_token(
        world_of(request).request_pool,
        identity.caller,
        identity.claims,
        name=data.name,
        scopes=sorted(set(data.scopes)),
        account_ids=account_ids,
        expires_at=data.expires_at,
    )
    made = MadeToken(token=_token(token), secret=secret)
    return Response(made, status_code=201, headers={"Location": f"/api/v1/tokens/{made.token.id}"})


@get("", security=needs_session(), summary="List your API tokens")
async def list_all(request: Asking) -> ApiTokens:
    who = request.user.claims
    async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
        found = await store.all_of(each, who.tenant_id, who.person_id)
    return ApiTokens(items=[_token(token) for token in found])


@delete(
    "/{token_id:str}",
    security=needs_session(),
    status_code=204,
    summary="Take an API token back: it proves nothing from now on",
)
async def remove(request: Asking, token_id: FromPath[str]) -> None:
    who = request.user.claims
    removed = id_of(Kind.TOKEN, token_id)
    async with tenant_transaction(world_of(request).request_pool, request.user.caller) as each:
        name = await store.remove(each, who.tenant_id, who.person_id, removed)
        if name is None:
            raise NotFound
        taken = who.did("token.removed", subject=token_id, details={"name": name})
        await audit_log.note(each, taken)


def router() -> Router:
    return Router("/tokens", route_handlers=[create, list_all, remove], tags=["tokens"])


def _accounts(
    request: Asking, named: tuple[str, ...] | None
) -> tuple[list[UUID] | None, list[FieldProblem]]:
    if named is None:
        return None, []
    found: list[UUID] = []
    errors: list[FieldProblem] = []
    for place, text in enumerate(named):
        try:
            account_id = read(Kind.ACCOUNT, text)
        except NotAnId:
            account_id = None
        if account_id is None or account_id not in request.user.caller.account_ids:
            errors.append(
                FieldProblem(
                    pointer=f"/account_ids/{place}",
                    message="There is no such account.",
                    code="not_found",
                )
            )
        else:
            found.append(account_id)
    return sorted(set(found)), errors


def _token(token: store.ApiToken) -> ApiToken:
    return ApiToken(
        id=shown(Kind.TOKEN, token.token_id),
        name=token.name,
        prefix=token.prefix,
        scopes=token.scopes,
        account_ids=None
        if token.account_ids is None
        else [shown(Kind.ACCOUNT, account_id) for account_id in token.account_ids],
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        used_from=token.used_from,
    )

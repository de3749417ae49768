"""/saved-searches, /search/recent, /suggestions: what helps to search again, and to write."""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct
from pydantic import Field, StringConstraints
from uuid_utils.compat import uuid7

from services.api.actions.save_search import change_search, save_search
from services.api.actions.suggest_people import suggest_people
from services.api.domain.refusals import NotFound
from services.api.domain.rights import Scope
from services.api.http.bodies import Body, Line
from services.api.http.limits import KIND
from services.api.http.moments import Moment
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.search import Each, Ordered
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import searches as store
from shared.contracts.ids import Kind, shown
from shared.db import tenant_transaction

SearchName = Annotated[Line, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Line1000 = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
AccountIds = Annotated[
    list[Annotated[str, StringConstraints(max_length=64)]], Field(max_length=200)
]


class NewSavedSearch(Body):
    """A search to keep. No `account_ids`: in all accounts."""

    name: SearchName
    q: Line1000
    account_ids: AccountIds = Field(default_factory=list[str])
    order: Ordered = "newest"
    unit: Each = "messages"


class ChangedSavedSearch(Body):
    """What is to be different about a saved search."""

    name: SearchName | None = None
    q: Line1000 | None = None
    account_ids: AccountIds | None = None
    order: Ordered | None = None
    unit: Each | None = None


class SavedSearch(Struct, frozen=True, kw_only=True):
    """A search that you keep under a name."""

    id: str
    name: str
    q: str
    account_ids: list[str]
    order: str
    unit: str
    created_at: Moment
    updated_at: Moment


class SavedSearches(Struct, frozen=True, kw_only=True):
    """The searches that you keep, by name."""

    items: list[SavedSearch]


class RecentSearch(Struct, frozen=True, kw_only=True):
    """Something you searched for."""

    q: str
    searched_at: Moment


class RecentSearches(Struct, frozen=True, kw_only=True):
    """What you searched for lately with `remember`, the last first."""

    items: list[RecentSearch]


class SuggestedPerson(Struct, frozen=True, kw_only=True):
    """Somebody you have mail with. Counted is the newest of it."""

    name: str
    email: str
    sent: int
    received: int
    last_at: Moment


class SuggestedPeople(Struct, frozen=True, kw_only=True):
    """Those you write with most first."""

    items: list[SuggestedPerson]


@get("", summary="List your saved searches", security=needs(Scope.MAIL_READ))
async def list_all(request: Asking) -> SavedSearches:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await store.saved_by(connection, caller.tenant_id, request.user.claims.person_id)
    return SavedSearches(items=[_shown(one) for one in found])


@post("", summary="Save a search", security=needs(Scope.MAIL_READ))
async def save(request: Asking, data: JSONBody[NewSavedSearch]) -> SavedSearch:
    now = datetime.now(UTC)
    saved = await save_search(
        world_of(request).request_pool,
        request.user.caller,
        request.user.claims.person_id,
        store.SavedSearch(
            saved_search_id=uuid7(),
            name=data.name,
            q=data.q,
            account_ids=[id_of(Kind.ACCOUNT, one) for one in data.account_ids],
            ordered=data.order,
            unit=data.unit,
            created_at=now,
            updated_at=now,
        ),
    )
    return _shown(saved)


@patch("/{saved_search_id:str}", summary="Change a saved search", security=needs(Scope.MAIL_READ))
async def change(
    request: Asking, saved_search_id: FromPath[str], data: JSONBody[ChangedSavedSearch]
) -> SavedSearch:
    changes: dict[str, Any] = data.model_dump(exclude_none=True)
    if "order" in changes:
        changes["ordered"] = changes.pop("order")
    if data.account_ids is not None:
        changes["account_ids"] = [id_of(Kind.ACCOUNT, one) for one in data.account_ids]
    changed = await change_search(
        world_of(request).request_pool,
        request.user.caller,
        request.user.claims.person_id,
        id_of(Kind.SAVED_SEARCH, saved_search_id),
        changes,
        datetime.now(UTC),
    )
    return _shown(changed)


@delete("/{saved_search_id:str}", summary="Forget a saved search", security=needs(Scope.MAIL_READ))
async def forget(request: Asking, saved_search_id: FromPath[str]) -> None:
    caller = request.user.caller
    search_id = id_of(Kind.SAVED_SEARCH, saved_search_id)
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        if not await store.forget_saved(
            connection, caller.tenant_id, request.user.claims.person_id, search_id
        ):
            raise NotFound


@get("/recent", summary="List what you searched for lately", security=needs(Scope.MAIL_READ))
async def list_recent(request: Asking) -> RecentSearches:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        found = await store.recent(connection, caller.tenant_id, request.user.claims.person_id)
    return RecentSearches(items=[RecentSearch(q=q, searched_at=at) for q, at in found])


@delete("/recent", summary="Forget what you searched for lately", security=needs(Scope.MAIL_READ))
async def forget_recent(request: Asking) -> None:
    caller = request.user.caller
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        await store.forget_recent(connection, caller.tenant_id, request.user.claims.person_id)


@get(
    "/people",
    summary="Suggest whom you may mean",
    security=needs(Scope.MAIL_READ),
    opt={KIND: "search"},
)
async def suggest(
    request: Asking,
    prefix: Annotated[
        str,
        QueryParameter(
            max_length=100,
            description="How words of a name or address begin; left out, whom you write to most.",
        ),
    ] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=50, description="How many at most.")] = 10,
) -> SuggestedPeople:
    if "\0" in prefix:
        raise Invalid([FieldProblem(parameter="prefix", message="NUL is not allowed.", code="nul")])
    world = world_of(request)
    people = await suggest_people(world.request_pool, world.bus, request.user.caller, prefix, limit)
    return SuggestedPeople(
        items=[
            SuggestedPerson(
                name=one.name,
                email=one.email,
                sent=one.sent,
                received=one.received,
                last_at=one.last_at,
            )
            for one in people
        ]
    )


def routers() -> list[Router]:
    """Of what is kept, of what was searched for, and of what is suggested."""
    return [
        Router("/saved-searches", route_handlers=[list_all, save, change, forget], tags=["search"]),
        Router("/search", route_handlers=[list_recent, forget_recent], tags=["search"]),
        Router("/suggestions", route_handlers=[suggest], tags=["search"]),
    ]


def _shown(search: store.SavedSearch) -> SavedSearch:
    return SavedSearch(
        id=shown(Kind.SAVED_SEARCH, search.saved_search_id),
        name=search.name,
        q=search.q,
        account_ids=[shown(Kind.ACCOUNT, one) for one in search.account_ids],
        order=search.ordered,
        unit=search.unit,
        created_at=search.created_at,
        updated_at=search.updated_at,
    )

"""/search: messages by what is in them."""

from html import escape
from typing import Annotated, Literal, Self, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from litestar import Router, get, post
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from services.api.actions.search_messages import (
    Hit,
    Results,
    Wanted,
    explain_search,
    search_messages,
)
from services.api.domain.cursors import After, AfterRanked
from services.api.domain.rights import Scope
from services.api.http.bodies import Body
from services.api.http.limits import KIND
from services.api.http.messages import Message, listed
from services.api.http.paging import Cursor, Limit, Page
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, world_of
from services.api.store import searches
from shared.contracts.ids import Kind
from shared.contracts.search import Condition, Found, Order, TotalKind, Unit
from shared.db import tenant_transaction

_LANGUAGE = """\
What to look for. All terms must match; upper and lower case, and accents, are the same.

`word` in subject, people or text; `"a phrase"`; `prefix*`; `-not`; `this OR that`; `( )`
`from:` `to:` `cc:` `bcc:` `with:` a name, an address or a part of it, `me`; `list:` a list's id
`subject:` `body:` `filename:` words there
`in:` a mailbox by its role (`inbox` `sent` `drafts` `archive` `trash` `junk`), name or path; \
`Projects/*` with all below; `anywhere`
`account:` its name or address; `label:` a label or keyword; `thread:` its id
`has:attachment` `has:invitation` `has:pdf` `has:image` `has:audio` `has:video` `has:document` \
`has:spreadsheet` `has:presentation` `has:archive`
`is:unread` `is:read` `is:starred` `is:answered` `is:forwarded` `is:draft` `is:important` \
`is:signed` `is:encrypted`
`before:2026-11-20` `after:2026-11` `on:yesterday` days, months, years, `today`, `monday` … in \
your `time_zone`
`older_than:` `newer_than:` an age: `12h` `3d` `2w` `6m` `1y`
`larger:` `smaller:` a size: `500k` `1.5M`
`rfc822msgid:` a Message-ID"""


def _time_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        raise ValueError("This is no time zone of the IANA database.") from None


Words = Annotated[str, QueryParameter(min_length=1, max_length=1000, description=_LANGUAGE)]
Zone = Annotated[
    str,
    QueryParameter(max_length=60, description="Where you are, as `Europe/Berlin`: what a day is."),
]
TimeZone = Annotated[str, StringConstraints(max_length=60), AfterValidator(_time_zone)]


_MOST_REMEMBERED = 50

Ordered: TypeAlias = Literal["newest", "relevance"]
Each: TypeAlias = Literal["messages", "threads"]


class SearchCondition(Body):
    """A search as a tree: one of `all`, `any`, `not`, or `value` with an operator or without.

    Operators and values are those of the line of text; `GET /search/explain` shows a line as a
    tree. With `phrase` the words of a value stand next to each other.
    """

    all: list["SearchCondition"] | None = Field(default=None, max_length=200)
    any: list["SearchCondition"] | None = Field(default=None, max_length=200)
    not_: "SearchCondition | None" = Field(default=None, alias="not")
    operator: Annotated[str, StringConstraints(max_length=40)] | None = None
    value: Annotated[str, StringConstraints(max_length=1000)] | None = None
    phrase: bool = False


class Search(Body):
    """A search: by a line of text, `q`, or by a tree, `query`."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    query: SearchCondition | None = None
    account_ids: list[Annotated[str, StringConstraints(max_length=40)]] = Field(
        default_factory=list[str], max_length=200
    )
    time_zone: TimeZone = "UTC"
    order: Ordered = "newest"
    unit: Each = "messages"
    total: bool = False
    limit: int = Field(default=50, ge=1, le=200)
    cursor: Annotated[str, StringConstraints(max_length=400)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.q is None) == (self.query is None):
            raise ValueError("Say one thing: q or query.")
        return self


class FoundMessage(Message, frozen=True, kw_only=True):
    """A message that matches, with the words around what it was found by."""

    snippet: str  # plain text
    snippet_html: str  # the same, safe to be shown: text, and `<mark>` around what matches
    text_is_cut: bool  # its text is so long that only the first 64 KiB were searched


class FoundTotal(Struct, frozen=True, kw_only=True):
    """How many messages match: exactly up to 1,000; more are `estimated`, or `at_least` so many."""

    messages: int
    kind: TotalKind


class FoundPage(Page[FoundMessage], frozen=True, kw_only=True):
    """Some messages that match. `next_cursor` is null at the end, `total` unless asked for."""

    total: FoundTotal | None = None


class UnderstoodTerm(Struct, frozen=True, kw_only=True):
    """One term of a search, where it stands, and what it was taken for."""

    operator: str | None
    value: str
    position: int | None
    meaning: str


class UnderstoodSearch(Struct, frozen=True, kw_only=True):
    """How a search is understood: term by term, and as the tree that `POST /search` takes."""

    query: Condition
    terms: list[UnderstoodTerm]
    # Messages with more text than the 64 KiB that are searched; 1,000 means at least so many.
    cut_texts: int


@get(
    "",
    summary="Search messages, newest first",
    security=needs(Scope.MAIL_READ),
    opt={KIND: "search"},
)
async def search(
    request: Asking,
    q: Words,
    account_id: Annotated[
        list[str] | None,
        QueryParameter(max_items=200, description="In these accounts only; may be repeated."),
    ] = None,
    order: Annotated[
        Ordered,
        QueryParameter(
            description="`relevance`: the best first, among the 1,000 newest that match."
        ),
    ] = "newest",
    unit: Annotated[
        Each,
        QueryParameter(description="`threads`: of each only the first message that matches."),
    ] = "messages",
    time_zone: Zone = "UTC",
    total: Annotated[bool, QueryParameter(description="Say how many match in all.")] = False,
    remember: Annotated[
        bool, QueryParameter(description="Keep it among your recent searches.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> FoundPage:
    wanted = Wanted(
        text=_line(q),
        account_ids=_accounts(account_id or []),
        time_zone=_zone(time_zone),
        order=Order(order),
        unit=Unit(unit),
        with_total=total,
        limit=limit,
        after=_after(cursor, order),
    )
    found = await _found(request, wanted)
    if remember:
        await _remember(request, q)
    return found


@post(
    "",
    status_code=200,
    summary="Search messages by a tree of conditions",
    security=needs(Scope.MAIL_READ),
    opt={KIND: "search"},
)
async def search_by_tree(request: Asking, data: JSONBody[Search]) -> FoundPage:
    condition = (
        None
        if data.query is None
        else msgspec.convert(data.query.model_dump(by_alias=True, exclude_none=True), Condition)
    )
    wanted = Wanted(
        text=data.q or "",
        condition=condition,
        account_ids=_accounts(data.account_ids),
        time_zone=data.time_zone,
        order=Order(data.order),
        unit=Unit(data.unit),
        with_total=data.total,
        limit=data.limit,
        after=_after(data.cursor, data.order),
    )
    return await _found(request, wanted)


@get(
    "/explain",
    summary="Say how a search is understood",
    security=needs(Scope.MAIL_READ),
    opt={KIND: "search"},
)
async def explain(request: Asking, q: Words, time_zone: Zone = "UTC") -> UnderstoodSearch:
    world = world_of(request)
    said = await explain_search(
        world.request_pool, world.bus, request.user.caller, _line(q), _zone(time_zone)
    )
    return UnderstoodSearch(
        query=said.condition or Condition(),
        terms=[
            UnderstoodTerm(
                operator=term.operator,
                value=term.value,
                position=term.position,
                meaning=term.meaning,
            )
            for term in said.terms
        ],
        cut_texts=said.cut_texts,
    )


def router() -> Router:
    return Router("/search", route_handlers=[search, search_by_tree, explain], tags=["search"])


def _line(q: str) -> str:
    if "\0" in q:
        raise Invalid([FieldProblem(parameter="q", message="NUL is not allowed.", code="nul")])
    return q


def _zone(name: str) -> str:
    try:
        return _time_zone(name)
    except ValueError as error:
        raise Invalid(
            [FieldProblem(parameter="time_zone", message=str(error), code="not_a_choice")]
        ) from None


def _accounts(ids: list[str]) -> list[UUID]:
    return [id_of(Kind.ACCOUNT, one) for one in ids]


def _after(cursor: str | None, order: Ordered) -> After | AfterRanked | None:
    if not cursor:
        return None
    return AfterRanked.read(cursor) if order == "relevance" else After.read(cursor)


async def _remember(request: Asking, q: str) -> None:
    caller, person_id = request.user.caller, request.user.claims.person_id
    async with tenant_transaction(world_of(request).request_pool, caller) as connection:
        await searches.remember(connection, caller.tenant_id, person_id, q, most=_MOST_REMEMBERED)


async def _found(request: Asking, wanted: Wanted) -> FoundPage:
    world = world_of(request)
    results: Results = await search_messages(
        world.request_pool, world.bus, request.user.caller, wanted
    )
    return FoundPage(
        items=[_shown(hit) for hit in results.hits],
        next_cursor=results.next and results.next.shown(),
        total=results.total
        and FoundTotal(messages=results.total.messages, kind=results.total.kind),
    )


def _shown(hit: Hit) -> FoundMessage:
    brief = listed(hit.message)
    return FoundMessage(
        **{name: getattr(brief, name) for name in Message.__struct_fields__},
        snippet=hit.found.snippet,
        snippet_html=marked(hit.found),
        text_is_cut=hit.found.text_is_cut,
    )


def marked(found: Found) -> str:
    """The snippet as HTML: escaped, and what matches inside `<mark>`."""
    pieces: list[str] = []
    at = 0
    for start, end in found.marks:
        pieces += (escape(found.snippet[at:start]), "<mark>", escape(found.snippet[start:end]))
        pieces.append("</mark>")
        at = end
    pieces.append(escape(found.snippet[at:]))
    return "".join(pieces)

"""/search: messages by what is in them."""

from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter

from services.api.actions.search_messages import search_messages
from services.api.http.messages import Message, listed
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.signed_in import Asking, world_of

Words = Annotated[
    str, QueryParameter(min_length=1, max_length=2000, description="Words, or from:, subject:, …")
]


class FoundMessage(Message, frozen=True, kw_only=True):
    """A message that matches, with the words around what it was found by."""

    snippet: str


@get("", summary="Search messages, newest first")
async def search(
    request: Asking, q: Words, limit: Limit = 50, cursor: Cursor = None
) -> Page[FoundMessage]:
    world = world_of(request)
    if "\0" in q:
        raise Invalid([FieldProblem(parameter="q", message="NUL is not allowed.", code="nul")])
    hits, last = await search_messages(
        world.request_pool, world.bus, request.user.caller, q, after(cursor), limit
    )
    return Page(
        items=[
            FoundMessage(
                **{
                    name: getattr(brief, name)
                    for brief in (listed(hit.message),)
                    for name in Message.__struct_fields__
                },
                snippet=hit.snippet,
            )
            for hit in hits
        ],
        next_cursor=last and last.shown(),
    )


def router() -> Router:
    return Router("/search", route_handlers=[search], tags=["search"])

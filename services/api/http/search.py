"""/search: messages by what is in them."""

from typing import Annotated

from litestar import Router, get
from litestar.params import QueryParameter

from services.api.actions.search_messages import search_messages
from services.api.domain.rights import Scope
from services.api.http.limits import KIND
from services.api.http.messages import Message, listed
from services.api.http.paging import Cursor, Limit, Page, after
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, world_of

_LANGUAGE = """\
What to look for. All terms must match; upper and lower case, and accents, are the same.

`word` in subject, people or text; `"a phrase"`; `prefix*`; `-not`; `this OR that`; `( )`
`from:` `to:` `cc:` `bcc:` a name or an address; `list:` a mailing list's id
`subject:` `body:` `filename:` words there
`has:attachment`
`is:unread` `is:read` `is:starred` `is:answered`
`before:2026-11-20` `after:2026-11-20` days, in UTC
`older_than:` `newer_than:` an age: `3d` `2w` `6m` `1y`
`larger:` `smaller:` a size: `500k` `10M`
`rfc822msgid:` a Message-ID"""
Words = Annotated[str, QueryParameter(min_length=1, max_length=1000, description=_LANGUAGE)]


class FoundMessage(Message, frozen=True, kw_only=True):
    """A message that matches, with the words around what it was found by."""

    snippet: str


class FoundPage(Page[FoundMessage], frozen=True, kw_only=True):
    """Some messages that match, newest first. `next_cursor` is null at the end."""


@get(
    "",
    summary="Search messages, newest first",
    security=needs(Scope.MAIL_READ),
    opt={KIND: "search"},
)
async def search(request: Asking, q: Words, limit: Limit = 50, cursor: Cursor = None) -> FoundPage:
    world = world_of(request)
    if "\0" in q:
        raise Invalid([FieldProblem(parameter="q", message="NUL is not allowed.", code="nul")])
    hits, last = await search_messages(
        world.request_pool, world.bus, request.user.caller, q, after(cursor), limit
    )
    return FoundPage(
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

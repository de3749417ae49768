"""/events: the event log, as a stream (Server-Sent Events) or a page at a time."""

import asyncio
import random
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import msgspec
import structlog
from litestar import Response, Router, get
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream
from msgspec import Meta, Struct

from services.api.actions.ask_events import ask_events
from services.api.actions.identify_caller import Identity, identify_caller
from services.api.actions.read_log import (
    EARLIEST,
    LATEST,
    LogPage,
    Wanted,
    place_in_log,
    read_log,
)
from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import public_id
from services.api.domain.refusals import NotFound, Refused, TooManyReaders
from services.api.domain.rights import Scope
from services.api.http.paging import Limit
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.scopes import needs
from services.api.http.signed_in import Asking, id_of, request_id_of, world_of
from services.api.metrics import EVENT_STREAMS
from services.api.store.log import LoggedEvent
from services.api.world import World
from shared.contracts.envelope import Caller
from shared.contracts.hints import AccountsFollowed
from shared.contracts.ids import Kind, shown
from shared.db import is_away, is_busy

_log = structlog.get_logger()

_STREAM = "text/event-stream"
_JSON = "application/json"
_AT_A_TIME = 200
_LONGEST_WAIT_SECONDS = 60.0
_RETRY_MILLISECONDS = 2000
_SESSION_SECONDS = 60.0  # a stream in which nothing happens outlives its session by so much
_MOST_FOLLOWED = 100  # accounts by one stream: nobody watches more at once


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened. `id` stays the same however often it is delivered."""

    id: str
    type: str
    cursor: str
    account_id: str | None
    occurred_at: datetime
    data: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class Events(Struct, frozen=True, kw_only=True):
    """Some of the log, in order. Ask on from `next_cursor`, also when there is nothing new."""

    items: list[Event]
    next_cursor: str
    more: bool


@get(
    "",
    summary="Events since a cursor; with Accept: text/event-stream, as they happen",
    security=needs(Scope.EVENTS_READ),
)
async def events(
    request: Asking,
    after: Annotated[
        str | None,
        QueryParameter(
            description="A cursor, `earliest` or `latest`. A stream begins with latest."
        ),
    ] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
    account_id: Annotated[str | None, QueryParameter(description="Of this account only.")] = None,
    types: Annotated[
        str | None, QueryParameter(max_length=1000, description="Of these types only: a,b,c")
    ] = None,
    q: Annotated[
        str | None,
        QueryParameter(
            min_length=1,
            max_length=1000,
            description="Of messages that match only, as far as an event tells: `from:`,"
            " `subject:`, `is:`, `has:attachment`, `in:`, `label:`, `thread:`.",
        ),
    ] = None,
    limit: Limit = 50,
    wait: Annotated[
        float,
        QueryParameter(ge=0, le=_LONGEST_WAIT_SECONDS, description="Seconds to wait for news."),
    ] = 0,
) -> Response[bytes] | Stream:
    world = world_of(request)
    if types is not None and "\0" in types:
        raise Invalid([FieldProblem(parameter="types", message="NUL is not allowed.", code="nul")])
    account = id_of(Kind.ACCOUNT, account_id) if account_id is not None else None
    if account is not None and account not in request.user.reader.account_ids:
        raise NotFound
    if q is not None and "\0" in q:
        raise Invalid([FieldProblem(parameter="q", message="NUL is not allowed.", code="nul")])
    wanted = Wanted(
        account_id=account,
        types=[name.strip() for name in types.split(",")] if types is not None else None,
        query=None
        if q is None
        else await ask_events(world.request_pool, world.bus, request.user.caller, q),
    )
    said = last_event_id or after
    streaming = request.accept.best_match([_JSON, _STREAM], default=_JSON) == _STREAM
    if streaming or wait > 0:
        _refuse_a_crowd(world, request.user)
    begin = await place_in_log(
        world.request_pool, request.user.reader, said or (LATEST if streaming else EARLIEST)
    )
    if streaming:
        return Stream(
            _stream(world, request.user, request_id_of(request), begin, wanted),
            media_type=_STREAM,
            # Proxies must neither keep nor gather what is meant for now.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
    page = await _page_or_wait(world, request.user, begin, wanted, limit, wait)
    return Response(msgspec.json.encode(page), media_type=_JSON)


def router() -> Router:
    return Router("/events", route_handlers=[events], tags=["events"])


async def _page_or_wait(
    world: World,
    identity: Identity,
    begin: LogCursor,
    wanted: Wanted,
    limit: int,
    wait: float,
) -> Events:
    """A page at once if there is news, else as soon as there is, or when the wait is over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait
    with _following(world, identity) as grew:
        while True:
            grew.clear()
            page = await read_log(world.request_pool, identity.reader, begin, wanted, limit)
            left = end - loop.time()
            if page.events or page.more or left <= 0 or world.closing.is_set():
                return Events(
                    items=[_event(row, page.cursor.epoch) for row in page.events],
                    next_cursor=page.cursor.shown(),
                    more=page.more,
                )
            begin = page.cursor
            await _news(grew, min(left, world.settings.event_poll_seconds))


async def _stream(
    world: World,
    identity: Identity,
    request_id: str | None,
    cursor: LogCursor,
    wanted: Wanted,
) -> AsyncGenerator[bytes]:
    """The log from a cursor on: first what is there, then what comes, until either side ends it.

    A reader who takes nothing is waited for; nothing gathers here meanwhile.
    """
    loop = asyncio.get_running_loop()
    heartbeat = world.settings.event_heartbeat_seconds
    yield f": postbus\nretry: {_RETRY_MILLISECONDS}\n\n".encode()
    EVENT_STREAMS.inc()
    try:
        with _following(world, identity) as grew:
            named = cursor
            while not world.closing.is_set():
                grew.clear()
                looked = loop.time()
                try:
                    # What the session may see can change while its stream is open.
                    identity = await _identified(world, identity, request_id)
                    page = await _read(world, identity.reader, cursor, wanted)
                except Refused as refused:
                    # The client comes again with its Last-Event-ID and is told why.
                    _log.info("event stream ends", reason=refused.code)
                    return
                except Exception as error:
                    if not is_away(error) and not is_busy(error):
                        raise
                    _log.info("event stream ends", reason="database away or too busy")
                    return
                for row in page.events:
                    yield _sse(_event(row, page.cursor.epoch))
                if page.events:
                    named = LogCursor(page.cursor.epoch, page.events[-1].seq)
                cursor = page.cursor
                if page.more:
                    continue
                # Where nothing happens, nobody asks the database: one look for all finds out
                # what no hint told of. Only the session is looked at now and then.
                while loop.time() - looked < _SESSION_SECONDS:
                    await _say_followed(world, identity, wanted)
                    if await _news(grew, heartbeat):
                        break
                    yield b": alive\n\n" if cursor == named else _still_at(cursor)
                    named = cursor
            # Those who are sent away together are not to come again together.
            yield f"retry: {random.randint(500, 5000)}\n\n".encode()  # noqa: S311
    finally:
        EVENT_STREAMS.dec()


async def _identified(world: World, identity: Identity, request_id: str | None) -> Identity:
    """Who this is now; streams of one session that wake together ask once."""
    times = world.growth.times(identity.claims.tenant_id)
    return await world.sharing.once(
        ("who", identity.proof, times),
        lambda: identify_caller(world.pool, identity.proof, request_id),
    )


async def _read(world: World, reader: Caller, cursor: LogCursor, wanted: Wanted) -> LogPage:
    """The log from there on; those who see the same and stand at the same place read it once.

    What was asked for before the log grew is no answer any more: it is another question then.
    """
    times = world.growth.times(reader.tenant_id)
    asked = wanted.account_id, wanted.types and tuple(wanted.types), wanted.query
    return await world.sharing.once(
        ("log", reader.tenant_id, reader.account_ids, cursor, asked, times),
        lambda: read_log(world.request_pool, reader, cursor, wanted, _AT_A_TIME),
    )


async def _say_followed(world: World, identity: Identity, wanted: Wanted) -> None:
    """Where a server is near, sync asks it more often while somebody is watching.

    Who watches the same accounts says so once.
    """
    followed = tuple(
        (wanted.account_id,)
        if wanted.account_id is not None
        else identity.reader.account_ids[:_MOST_FOLLOWED]
    )
    if followed and world.growth.is_news(followed, world.settings.event_poll_seconds):
        await world.bus.hint(AccountsFollowed(account_ids=followed))


def _refuse_a_crowd(world: World, identity: Identity) -> None:
    most = world.settings.event_readers_per_tenant
    if world.growth.followers(identity.claims.tenant_id) >= most:
        raise TooManyReaders(retry_after_seconds=int(_LONGEST_WAIT_SECONDS))


async def _news(grew: asyncio.Event, seconds: float) -> bool:
    """Whether there is any within so many seconds, as far as hints tell."""
    try:
        async with asyncio.timeout(seconds):
            return await grew.wait()
    except TimeoutError:
        return False


@contextmanager
def _following(world: World, identity: Identity) -> Generator[asyncio.Event]:
    tenant_id = identity.claims.tenant_id
    grew = world.growth.follow(tenant_id)
    try:
        yield grew
    finally:
        world.growth.unfollow(tenant_id, grew)


def _event(row: LoggedEvent, epoch: int) -> Event:
    return Event(
        id=public_id(row.event_id, row.n),
        type=row.type,
        cursor=LogCursor(epoch, row.seq).shown(),
        account_id=row.account_id and shown(Kind.ACCOUNT, row.account_id),
        occurred_at=row.occurred_at,
        data=msgspec.Raw(row.body.encode()),
    )


def _still_at(cursor: LogCursor) -> bytes:
    """Where a reader is who wanted nothing of what came: an id alone is remembered, not told.

    Otherwise somebody who asks for rare events would come again with a cursor long forgotten
    (HTML standard §9.2.6: an empty data buffer sets the last event ID and dispatches nothing).
    """
    return f": alive\nid: {cursor.shown()}\n\n".encode()


def _sse(event: Event) -> bytes:
    """One event as the HTML standard writes it (§9.2.6). JSON has no line breaks of its own."""
    return (
        f"id: {event.cursor}\nevent: {event.type}\ndata: ".encode()
        + msgspec.json.encode(event)
        + b"\n\n"
    )

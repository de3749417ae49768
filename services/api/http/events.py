"""/events: the event log, as a stream (Server-Sent Events) or a page at a time."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
import structlog
from litestar import Response, Router, get
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream
from msgspec import Struct

from services.api.actions.identify_caller import Identity, identify_caller
from services.api.domain.cursors import LogCursor
from services.api.domain.logbook import public_id
from services.api.domain.refusals import (
    CursorExpired,
    CursorInvalid,
    LogRestarted,
    NotFound,
    Refused,
    TokenRefused,
)
from services.api.http.paging import Limit
from services.api.http.problems import FieldProblem, Invalid
from services.api.http.signed_in import Asking, id_of, request_id_of, world_of
from services.api.metrics import EVENT_STREAMS
from services.api.store import log
from services.api.store.log import LoggedEvent
from services.api.world import World
from shared.contracts.ids import Kind, shown
from shared.db import is_away, tenant_transaction

_log = structlog.get_logger()

EARLIEST = "earliest"
LATEST = "latest"
_STREAM = "text/event-stream"
_JSON = "application/json"
_AT_A_TIME = 200
_LONGEST_WAIT_SECONDS = 60.0
_RETRY_MILLISECONDS = 2000


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened. `id` stays the same however often it is delivered."""

    id: str
    type: str
    cursor: str
    account_id: str | None
    occurred_at: datetime
    data: msgspec.Raw


class Events(Struct, frozen=True, kw_only=True):
    """Some of the log, in order. Ask on from `next_cursor`, also when there is nothing new."""

    items: list[Event]
    next_cursor: str
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events a reader asks for."""

    account_id: UUID | None
    types: Sequence[str] | None


@get("", summary="Events since a cursor; with Accept: text/event-stream, as they happen")
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
    wanted = Wanted(
        account_id=account,
        types=[name.strip() for name in types.split(",")] if types is not None else None,
    )
    said = last_event_id or after
    streaming = request.accept.best_match([_JSON, _STREAM], default=_JSON) == _STREAM
    begin = await _begin(world, request.user, said, LATEST if streaming else EARLIEST)
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


async def _begin(world: World, identity: Identity, said: str | None, unsaid: str) -> LogCursor:
    """Where a reader goes on; raises when that place is no longer there."""
    reader = identity.reader
    said = said or unsaid
    async with tenant_transaction(world.request_pool, reader) as connection:
        position = await log.position(connection, reader.tenant_id)
    if position is None:
        raise TokenRefused
    if said == EARLIEST:
        return LogCursor(position.epoch, position.kept_from - 1)
    if said == LATEST:
        return LogCursor(position.epoch, position.seq)
    cursor = LogCursor.read(said)
    if cursor.epoch < position.epoch:
        raise LogRestarted
    if cursor.epoch > position.epoch or cursor.seq > position.seq:
        raise CursorInvalid
    if cursor.seq < position.kept_from - 1:
        raise CursorExpired
    return cursor


async def _page(
    world: World, identity: Identity, begin: LogCursor, wanted: Wanted, limit: int
) -> Events:
    reader = identity.reader
    async with tenant_transaction(world.request_pool, reader) as connection:
        # The position first: up to it, everything is there (docs/decisions: the event log).
        position = await log.position(connection, reader.tenant_id)
        if position is None:
            raise TokenRefused
        if position.epoch != begin.epoch:
            raise LogRestarted
        if begin.seq < position.kept_from - 1:
            raise CursorExpired
        rows = await log.read(
            connection,
            reader.tenant_id,
            after=begin.seq,
            up_to=position.seq,
            account_id=wanted.account_id,
            types=wanted.types,
            limit=limit,
        )
    more = len(rows) == limit
    last = rows[-1].seq if more else position.seq
    return Events(
        items=[_event(row, begin.epoch) for row in rows],
        next_cursor=LogCursor(begin.epoch, last).shown(),
        more=more,
    )


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
            page = await _page(world, identity, begin, wanted, limit)
            left = end - loop.time()
            if page.items or left <= 0 or world.closing.is_set():
                return page
            begin = LogCursor.read(page.next_cursor)
            await _news(grew, min(left, world.settings.event_poll_seconds))


async def _stream(
    world: World,
    identity: Identity,
    request_id: str | None,
    cursor: LogCursor,
    wanted: Wanted,
) -> AsyncGenerator[bytes]:
    """The log from a cursor on: first what is there, then what comes, until either side ends it."""
    loop = asyncio.get_running_loop()
    settings = world.settings
    yield f": postbus\nretry: {_RETRY_MILLISECONDS}\n\n".encode()
    EVENT_STREAMS.inc()
    try:
        with _following(world, identity) as grew:
            spoken = loop.time()
            while not world.closing.is_set():
                grew.clear()
                try:
                    # What the session may see can change while its stream is open.
                    identity = await identify_caller(world.pool, identity.claims, request_id)
                    page = await _page(world, identity, cursor, wanted, _AT_A_TIME)
                except Refused as refused:
                    # The client comes again with its Last-Event-ID and is told why.
                    _log.info("event stream ends", reason=refused.code)
                    return
                except Exception as error:
                    if not is_away(error):
                        raise
                    _log.info("event stream ends", reason="database away")
                    return
                for event in page.items:
                    yield _sse(event)
                cursor = LogCursor.read(page.next_cursor)
                if page.items:
                    spoken = loop.time()
                if page.more:
                    continue
                await _news(grew, settings.event_poll_seconds)
                if loop.time() - spoken >= settings.event_heartbeat_seconds:
                    spoken = loop.time()
                    yield b": alive\n\n"
    finally:
        EVENT_STREAMS.dec()


async def _news(grew: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await grew.wait()
    except TimeoutError:
        return  # a hint may be lost: look anyway


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


def _sse(event: Event) -> bytes:
    """One event as the HTML standard writes it (§9.2.6). JSON has no line breaks of its own."""
    return (
        f"id: {event.cursor}\nevent: {event.type}\ndata: ".encode()
        + msgspec.json.encode(event)
        + b"\n\n"
    )

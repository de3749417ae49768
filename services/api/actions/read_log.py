"""Read on in the event log."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.api.domain.cursors import LogCursor
from services.api.domain.event_query import EventQuery, askable, matches
from services.api.domain.refusals import (
    CursorExpired,
    CursorInvalid,
    LogRestarted,
    TokenRefused,
)
from services.api.store import log, mailboxes
from services.api.store.log import LoggedEvent, LogPosition
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction

EARLIEST = "earliest"
LATEST = "latest"
_LOOKED_AT = 200  # events at a time, of which a query may want few


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events a reader asks for."""

    account_id: UUID | None = None
    types: Sequence[str] | None = None
    query: EventQuery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """Some of the log, in order, and where it goes on."""

    events: list[LoggedEvent]
    cursor: LogCursor  # of the last one looked at, which may be one that was not wanted
    more: bool


async def place_in_log(pool: Pool, reader: Caller, said: str) -> LogCursor:
    """The place a reader names: a cursor, `earliest` or `latest`.

    Raises CursorInvalid, CursorExpired, LogRestarted.
    """
    async with tenant_transaction(pool, reader) as connection:
        position = _there(await log.position(connection, reader.tenant_id))
    if said == EARLIEST:
        return LogCursor(position.epoch, position.kept_from - 1)
    if said == LATEST:
        return LogCursor(position.epoch, position.seq)
    return _good(LogCursor.read(said), position)


async def read_log(
    pool: Pool, reader: Caller, cursor: LogCursor, wanted: Wanted, limit: int
) -> LogPage:
    """What this reader may see of the log behind a cursor.

    With a query there may be nothing on a page, and more behind it. Raises CursorExpired or
    LogRestarted when that place is no longer there.
    """
    query = wanted.query
    most = limit if query is None else max(limit, _LOOKED_AT)
    async with tenant_transaction(pool, reader) as connection:
        found, events = await log.read(
            connection,
            reader.tenant_id,
            after=cursor.seq,
            account_id=wanted.account_id,
            types=wanted.types if query is None else askable(wanted.types),
            limit=most,
        )
        named = (
            await mailboxes.named(connection, reader.tenant_id)
            if events and query is not None and query.asks_where
            else {}
        )
    position = _there(found)
    _good(cursor, position)
    more = len(events) == most
    last = events[-1].seq if more else position.seq
    if query is not None:
        events = [row for row in events if matches(query, row.type, row.body, named)]
        if len(events) > limit:
            events, more = events[:limit], True
            last = events[-1].seq
    return LogPage(events=events, cursor=LogCursor(position.epoch, last), more=more)


def _there(position: LogPosition | None) -> LogPosition:
    if position is None:
        raise TokenRefused("The tenant is gone.")
    return position


def _good(cursor: LogCursor, position: LogPosition) -> LogCursor:
    if cursor.epoch < position.epoch:
        raise LogRestarted
    if cursor.epoch > position.epoch or cursor.seq > position.seq:
        raise CursorInvalid
    if cursor.seq < position.kept_from - 1:
        raise CursorExpired
    return cursor

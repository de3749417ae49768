"""Find messages by what is in them, and say how a search is understood."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from msgspec.structs import replace

from services.api.actions.asking_search import ask, names_in
from services.api.domain.cursors import After, AfterRanked
from services.api.domain.refusals import NotFound
from services.api.store import reading
from services.api.store.reading import ShownMessage
from shared.bus import Bus
from shared.contracts.envelope import Caller
from shared.contracts.search import (
    Condition,
    ExplainSearch,
    Explanation,
    Found,
    Order,
    SearchAnswer,
    SearchMessages,
    Total,
    Unit,
)
from shared.db import Pool, tenant_transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A search, as it is asked for."""

    text: str = ""
    condition: Condition | None = None
    account_ids: Sequence[UUID] = ()  # none: all that the caller may see
    time_zone: str = "UTC"
    order: Order = Order.NEWEST
    unit: Unit = Unit.MESSAGES
    with_total: bool = False
    limit: int = 50
    after: After | AfterRanked | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, and the words around what it was found by."""

    message: ShownMessage
    found: Found


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what was found, and where to go on if there is more."""

    hits: list[Hit]
    next: After | AfterRanked | None
    total: Total | None


async def search_messages(pool: Pool, bus: Bus, caller: Caller, wanted: Wanted) -> Results:
    """What was found, in the order wanted.

    indexer says which messages match; what they look like, and whether they are still there, is
    ours. Raises NotFound for an account that the caller may not see, QueryInvalid,
    SearchUnavailable.
    """
    caller = _narrowed(caller, wanted.account_ids)
    names = await names_in(pool, caller, wanted.text, wanted.condition)
    after = wanted.after
    answer = await ask(
        bus,
        SearchMessages(
            caller=caller,
            text=wanted.text,
            condition=wanted.condition,
            time_zone=wanted.time_zone,
            accounts=names.accounts,
            mailboxes=names.mailboxes,
            limit=wanted.limit,
            before=after and (after.at, after.id),
            order=wanted.order,
            unit=wanted.unit,
            ranked_after=(after.rank, after.last_id) if isinstance(after, AfterRanked) else None,
            with_total=wanted.with_total,
        ),
        SearchAnswer,
    )
    ids = [found.message_id for found in answer.found]
    async with tenant_transaction(pool, caller) as connection:
        there = await reading.by_ids(connection, caller.tenant_id, ids)
    return Results(
        [
            Hit(there[found.message_id], found)
            for found in answer.found
            if found.message_id in there
        ],
        _following(answer),
        answer.total,
    )


async def explain_search(
    pool: Pool, bus: Bus, caller: Caller, text: str, time_zone: str
) -> Explanation:
    """How a search is understood. Raises QueryInvalid, SearchUnavailable."""
    names = await names_in(pool, caller, text, None)
    query = ExplainSearch(
        caller=caller,
        text=text,
        time_zone=time_zone,
        accounts=names.accounts,
        mailboxes=names.mailboxes,
    )
    return await ask(bus, query, Explanation)


def _narrowed(caller: Caller, account_ids: Sequence[UUID]) -> Caller:
    if not account_ids:
        return caller
    if not set(account_ids) <= set(caller.account_ids):
        raise NotFound
    return replace(caller, account_ids=tuple(account_ids))


def _following(answer: SearchAnswer) -> After | AfterRanked | None:
    if not answer.more or not answer.found:
        return None
    last = answer.found[-1]
    if answer.anchor is None:
        return After(last.received_at, last.message_id)
    return AfterRanked(*answer.anchor, last.rank, last.message_id)

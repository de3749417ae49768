"""Find messages by what is in them."""

from dataclasses import dataclass

from services.api.domain.cursors import After
from services.api.domain.refusals import QueryInvalid, SearchUnavailable
from services.api.store import reading
from services.api.store.reading import ShownMessage
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.search import SearchAnswer, SearchMessages
from shared.db import Pool, tenant_transaction


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, and the words around what it was found by."""

    message: ShownMessage
    snippet: str


async def search_messages(
    pool: Pool, bus: Bus, caller: Caller, text: str, after: After | None, limit: int
) -> tuple[list[Hit], After | None]:
    """What was found, newest first, and where to go on if there is more.

    indexer says which messages match; what they look like, and whether they are still there, is
    ours. Raises QueryInvalid, SearchUnavailable.
    """
    query = SearchMessages(
        caller=caller, text=text, limit=limit, before=after and (after.at, after.id)
    )
    try:
        answer = await bus.ask(query, SearchAnswer)
    except NoAnswer as error:
        raise SearchUnavailable(retry_after_seconds=5) from error
    if answer.problem is not None:
        if answer.problem.code != QueryInvalid.code:
            raise SearchUnavailable(answer.problem.detail or None, retry_after_seconds=5)
        raise QueryInvalid(answer.problem.detail or None, position=answer.problem.position)
    ids = [found.message_id for found in answer.found]
    async with tenant_transaction(pool, caller) as connection:
        there = await reading.by_ids(connection, caller.tenant_id, ids)
    hits = [
        Hit(there[found.message_id], found.snippet)
        for found in answer.found
        if found.message_id in there
    ]
    last = answer.found[-1] if answer.more and answer.found else None
    return hits, last and After(last.received_at, last.message_id)

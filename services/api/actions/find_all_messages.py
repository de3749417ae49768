"""Find every message of an account that a search finds, so that all of them can be changed."""

import asyncio
from uuid import UUID

from msgspec.structs import replace

from services.api.domain.refusals import QueryInvalid, SearchUnavailable, TooManyFound
from shared.bus import Bus, NoAnswer
from shared.contracts.envelope import Caller
from shared.contracts.search import SearchAnswer, SearchMessages

MOST_FOUND = 10_000
_PAGE = 200
_SECONDS = 20.0
_SOON_SECONDS = 5


async def find_all_messages(bus: Bus, caller: Caller, account_id: UUID, text: str) -> list[UUID]:
    """All that match now, or none: half of them would look like all.

    Raises QueryInvalid, SearchUnavailable, or TooManyFound for more than MOST_FOUND.
    """
    narrow = replace(caller, account_ids=(account_id,))
    found: list[UUID] = []
    query = SearchMessages(caller=narrow, text=text, limit=_PAGE)
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                answer = await _asked(bus, query)
                found += [one.message_id for one in answer.found]
                if not answer.more:
                    return found
                if len(found) >= MOST_FOUND:
                    raise TooManyFound
                if not answer.found:
                    raise SearchUnavailable(retry_after_seconds=_SOON_SECONDS)
                last = answer.found[-1]
                query = replace(query, before=(last.received_at, last.message_id))
    except TimeoutError as error:
        raise SearchUnavailable(
            "It took too long to find all of them: narrow the search.",
            retry_after_seconds=_SOON_SECONDS,
        ) from error


async def _asked(bus: Bus, query: SearchMessages) -> SearchAnswer:
    try:
        answer = await bus.ask(query, SearchAnswer)
    except NoAnswer as error:
        raise SearchUnavailable(retry_after_seconds=_SOON_SECONDS) from error
    if answer.problem is None:
        return answer
    if answer.problem.code == QueryInvalid.code:
        raise QueryInvalid(answer.problem.detail or None, position=answer.problem.position)
    raise SearchUnavailable(answer.problem.detail or None, retry_after_seconds=_SOON_SECONDS)

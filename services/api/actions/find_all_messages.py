"""Find every message of an account that a search finds, so that all of them can be changed."""

import asyncio
from uuid import UUID

from msgspec.structs import replace

from services.api.actions.asking_search import ask, names_in
from services.api.domain.refusals import SearchUnavailable, TooManyFound
from shared.bus import Bus
from shared.contracts.envelope import Caller
from shared.contracts.search import SearchAnswer, SearchMessages
from shared.db import Pool

MOST_FOUND = 100_000
_PAGE = 2_000
_SECONDS = 20.0
_SOON_SECONDS = 5


async def find_all_messages(
    pool: Pool, bus: Bus, caller: Caller, account_id: UUID, text: str
) -> list[UUID]:
    """All that match now, or none: half of them would look like all.

    Raises QueryInvalid, SearchUnavailable, or TooManyFound for more than MOST_FOUND.
    """
    narrow = replace(caller, account_ids=(account_id,))
    found: list[UUID] = []
    names = await names_in(pool, narrow, text, None)
    query = SearchMessages(
        caller=narrow,
        text=text,
        accounts=names.accounts,
        mailboxes=names.mailboxes,
        limit=_PAGE,
        with_lines=False,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            while True:
                answer = await ask(bus, query, SearchAnswer)
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

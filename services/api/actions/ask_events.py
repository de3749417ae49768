"""Understand a query for events."""

from services.api.actions.asking_search import ask, names_in
from services.api.domain.event_query import EventQuery, refuse_unanswerable
from shared.bus import Bus
from shared.contracts.envelope import Caller
from shared.contracts.search import Condition, ExplainSearch, Explanation
from shared.db import Pool


async def ask_events(pool: Pool, bus: Bus, caller: Caller, text: str) -> EventQuery:
    """The query as it can be asked of events: in the language of searches, which the memory reads.

    Raises QueryInvalid, also for what an event does not tell; SearchUnavailable.
    """
    names = await names_in(pool, caller, text, None)
    said = await ask(
        bus,
        ExplainSearch(caller=caller, text=text, accounts=names.accounts, mailboxes=names.mailboxes),
        Explanation,
    )
    condition = said.condition or Condition(all=())
    refuse_unanswerable(condition, said.terms)
    return EventQuery(text=text, condition=condition)

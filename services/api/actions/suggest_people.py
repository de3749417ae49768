"""Suggest whom somebody may mean who has begun to type."""

from collections.abc import Sequence

from services.api.actions.asking_search import ask
from services.api.store import accounts
from shared.bus import Bus
from shared.contracts.envelope import Caller
from shared.contracts.search import (
    NamedAccount,
    PeopleSuggested,
    SuggestedPerson,
    SuggestPeople,
)
from shared.db import Pool, tenant_transaction


async def suggest_people(
    pool: Pool, bus: Bus, caller: Caller, prefix: str, limit: int
) -> Sequence[SuggestedPerson]:
    """Those most written with first. Raises SearchUnavailable."""
    async with tenant_transaction(pool, caller) as connection:
        own = await accounts.all_of(connection, caller.tenant_id)
    query = SuggestPeople(
        caller=caller,
        prefix=prefix,
        accounts=tuple(
            NamedAccount(account_id=one.account_id, name=one.name, email=one.email) for one in own
        ),
        limit=limit,
    )
    return (await ask(bus, query, PeopleSuggested)).people

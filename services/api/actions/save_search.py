"""Keep a search under a name, and change one that is kept."""

from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from services.api.domain.refusals import NotFound, SavedSearchesFull, SearchNameTaken
from services.api.store import searches
from services.api.store.searches import SavedSearch
from shared.contracts.envelope import Caller
from shared.db import Connection, Pool, tenant_work

MOST_SAVED = 200


async def save_search(
    pool: Pool, caller: Caller, person_id: UUID, search: SavedSearch
) -> SavedSearch:
    """Raises SavedSearchesFull, SearchNameTaken, NotFound for accounts one may not see."""
    _refuse_unseen(caller, search.account_ids)

    async def work(connection: Connection) -> SavedSearch:
        if await searches.count(connection, caller.tenant_id, person_id) >= MOST_SAVED:
            raise SavedSearchesFull
        saved = await searches.save(connection, caller.tenant_id, person_id, search)
        if saved is None:
            raise SearchNameTaken
        return saved

    return await tenant_work(pool, caller, work)


async def change_search(
    pool: Pool,
    caller: Caller,
    person_id: UUID,
    saved_search_id: UUID,
    changes: dict[str, object],
    now: datetime,
) -> SavedSearch:
    """Let what is named be different. Raises NotFound, SearchNameTaken."""

    async def work(connection: Connection) -> SavedSearch:
        known = await searches.hold(connection, caller.tenant_id, person_id, saved_search_id)
        if known is None:
            raise NotFound
        changed = replace(known, **changes, updated_at=now)
        if "account_ids" in changes:
            _refuse_unseen(caller, changed.account_ids)
        await searches.change(connection, caller.tenant_id, changed)
        return changed

    try:
        return await tenant_work(pool, caller, work)
    except asyncpg.UniqueViolationError as error:
        raise SearchNameTaken from error


def _refuse_unseen(caller: Caller, account_ids: list[UUID]) -> None:
    if not set(account_ids) <= set(caller.account_ids):
        raise NotFound

"""Show what is left of a tenant, or of somebody, who was deleted."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from services.api.actions.forget_tenant import KEPT
from services.api.domain.refusals import NotFound, ProofUnavailable
from services.api.store import deletions
from services.api.store.deletions import Deletion
from shared.bus import Bus, DeadLettersAway, NoAnswer, count_dead_letters
from shared.contracts.envelope import Caller, Query
from shared.contracts.remains import (
    CountIndexerRemains,
    CountSenderRemains,
    CountSyncRemains,
    Remains,
)
from shared.db import Pool, rows_of_tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was counted when it was asked for; None: nobody could say."""

    deletion: Deletion
    rows: dict[str, int | None]  # by service
    dead_letters: int | None
    is_done: bool


async def prove_deletion(pool: Pool, bus: Bus, deletion_id: UUID) -> Proof:
    """What every service has of it now; raises NotFound.

    Of somebody who left a tenant that goes on, the rows of the tenant say nothing; what is proven
    is that their accounts are gone here, and were told to the others.
    """
    async with pool.acquire() as connection:
        deletion = await deletions.by_id(connection, deletion_id)
        if deletion is None:
            raise NotFound
        forgotten = await deletions.are_forgotten(
            connection, deletion.tenant_id, deletion.account_ids
        )
        if deletion.person_id is not None:
            return Proof(deletion=deletion, rows={}, dead_letters=None, is_done=forgotten)
        ours = await rows_of_tenant(
            connection, deletion.tenant_id, but=[name for name in KEPT if name != "audit_log"]
        )
    caller = Caller(tenant_id=deletion.tenant_id, account_ids=())
    sync, sender, indexer = await asyncio.gather(
        _ask(bus, CountSyncRemains(caller=caller)),
        _ask(bus, CountSenderRemains(caller=caller)),
        _ask(bus, CountIndexerRemains(caller=caller)),
    )
    rows = {"api": ours, "sync": sync, "sender": sender, "indexer": indexer}
    try:
        dead = await count_dead_letters(bus.js, deletion.tenant_id)
    except DeadLettersAway as error:
        raise ProofUnavailable(retry_after_seconds=5) from error
    return Proof(
        deletion=deletion,
        rows=rows,
        dead_letters=dead,
        is_done=forgotten and dead == 0 and all(count == 0 for count in rows.values()),
    )


async def _ask(bus: Bus, query: Query) -> int | None:
    try:
        return (await bus.ask(query, Remains)).rows
    except NoAnswer:
        return None

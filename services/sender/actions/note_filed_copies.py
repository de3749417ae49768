"""Copies of sent messages are in Sent."""

from collections import defaultdict
from uuid import UUID

from services.sender import store
from services.sender.domain.submission import after_filing
from services.sender.domain.telling import pages_of
from shared.bus import tell
from shared.contracts.submission import SentCopyFiled
from shared.db import Connection, Pool, in_transaction


async def note_filed_copies(events: list[SentCopyFiled], pool: Pool) -> None:
    """Remember and tell it, once; from then on our own bytes are not the only copy."""
    of_tenant: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for event in events:
        of_tenant[event.tenant_id].add(event.submission_id)

    async def work(connection: Connection) -> None:
        for tenant_id, submission_ids in sorted(of_tenant.items()):
            filed = [
                after_filing(submission)
                for submission in await store.hold_unfiled(connection, tenant_id, submission_ids)
            ]
            await store.put_filed(connection, tenant_id, filed)
            await tell(connection, *pages_of(one.told() for one in filed))

    await in_transaction(pool, work)

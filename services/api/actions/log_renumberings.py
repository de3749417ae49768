"""Say in the log that mailboxes were numbered anew."""

from collections.abc import Sequence
from uuid import UUID

from services.api.domain import logbook
from services.api.store import accounts, log
from shared.contracts.mail import MailboxRenumbered
from shared.db import Connection, Pool, in_transaction


async def log_renumberings(pool: Pool, events: Sequence[MailboxRenumbered]) -> dict[UUID, int]:
    """Each once; returns how far logs grew. No row changes: what changed is told apart."""

    async def work(connection: Connection) -> dict[UUID, int]:
        living = await accounts.hold_living(
            connection, [(event.tenant_id, event.account_id) for event in events]
        )
        entries = {
            event.event_id: logbook.of_renumbering(event)
            for event in events
            if (event.tenant_id, event.account_id) in living
        }
        return await log.append(connection, await log.unlogged(connection, list(entries.values())))

    return await in_transaction(pool, work)

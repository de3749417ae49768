"""Show no more what is gone from the server."""

from collections.abc import Sequence
from uuid import UUID

from services.api.domain import logbook
from services.api.domain.told import one_each, tally
from services.api.store import accounts, log, mailboxes, messages
from shared.contracts.mail import MessagesVanished
from shared.db import Connection, Pool, in_transaction


async def bury_messages(pool: Pool, pages: Sequence[MessagesVanished]) -> dict[UUID, int]:
    """Leave tombstones for these messages; returns how far logs grew."""

    async def work(connection: Connection) -> dict[UUID, int]:
        living = await accounts.hold_living(
            connection, [(page.tenant_id, page.account_id) for page in pages]
        )
        told = one_each(page for page in pages if (page.tenant_id, page.account_id) in living)
        if not told:
            return {}
        transitions = await messages.bury(connection, told)
        await mailboxes.count(connection, tally(transitions.values()))
        entries = await log.unlogged(connection, logbook.of_vanished(told, transitions))
        return await log.append(connection, entries)

    return await in_transaction(pool, work)

"""After a retelling: let go of what it did not show."""

from services.api.domain.told import tally
from services.api.store import accounts, mailboxes, messages, retellings
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 1000


async def sweep_unseen(pool: Pool) -> bool:
    """Bury some rows that a complete retelling did not show; False when there is nothing to do.

    Not newer than the retelling, so that what came meanwhile stays.
    """

    async def work(connection: Connection) -> bool:
        done = await retellings.finished(connection)
        if done is None:
            return False
        living = await accounts.hold_living(connection, [(done.tenant_id, done.account_id)])
        if living:
            unseen = await messages.bury_unseen(
                connection,
                done.tenant_id,
                done.account_id,
                as_of_revision=done.as_of_revision,
                limit=_AT_A_TIME,
            )
            await mailboxes.count(connection, tally(unseen))
            if len(unseen) == _AT_A_TIME:
                return True
        await retellings.swept(connection, done)
        return True

    return await in_transaction(pool, work)

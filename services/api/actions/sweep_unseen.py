"""After a retelling: let go of what it did not show."""

from services.api.domain.told import tally
from services.api.store import accounts, labels, mailboxes, messages, retellings
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 1000


async def sweep_unseen(pool: Pool) -> bool:
    """Bury some rows that a complete retelling did not show; False when there is nothing to do.

    Not newer than the retelling, so that what came meanwhile stays. At the end the numbers beside
    mailboxes are counted anew: rows that were lost had been counted in them.
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
            await labels.follow(connection, unseen)
            if unseen:
                return True
            await accounts.hold_alone(connection, done.tenant_id, done.account_id)
            await mailboxes.recount(connection, done.tenant_id, done.account_id)
        await retellings.swept(connection, done)
        return True

    return await in_transaction(pool, work)

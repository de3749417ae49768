"""Delete what is kept of deleted accounts, some rows at a time."""

from services.api.store import (
    accounts,
    audits,
    deliveries,
    drafts,
    identities,
    intents,
    labels,
    log,
    mailboxes,
    messages,
    retellings,
    submissions,
    uploads,
)
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 2000


async def forget_account(pool: Pool) -> bool:
    """Delete some rows of one deleted account; False when there is nothing to do.

    The account's own row stays as a tombstone, without anything that was somebody's.
    """

    async def work(connection: Connection) -> bool:
        found = await accounts.to_forget(connection)
        if found is None:
            return False
        tenant_id, account_id = found
        for forget in (
            labels.forget,
            messages.forget,
            submissions.forget,
            deliveries.forget_account,
            log.silence,
        ):
            if await forget(connection, tenant_id, account_id, _AT_A_TIME):
                return True
        await mailboxes.forget(connection, tenant_id, account_id)
        await retellings.forget(connection, tenant_id, account_id)
        await audits.forget(connection, tenant_id, account_id)
        for draft_id in await drafts.forget(connection, tenant_id, account_id):
            await uploads.release(connection, tenant_id, draft_id)
        await identities.forget(connection, tenant_id, account_id)
        await intents.forget(connection, tenant_id, account_id)
        await accounts.forget(connection, tenant_id, account_id)
        return True

    return await in_transaction(pool, work)

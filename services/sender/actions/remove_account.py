"""An account is no longer ours to send for."""

from uuid import UUID

from services.sender import store
from services.sender.domain.submission import after_cancel
from shared.bus import tell
from shared.contracts.account import RemoveSender
from shared.db import Connection, Pool, in_transaction

_AT_A_TIME = 200


async def remove_account(command: RemoveSender, pool: Pool) -> None:
    """Cancel what waits and forget the account; what is on the wire ends first."""

    async def bury(connection: Connection) -> None:
        await store.bury_account(connection, command.tenant_id, command.account_id)
        await store.forget_what_is_no_messages(connection, command.tenant_id, command.account_id)

    await in_transaction(pool, bury)
    await _sweep(command.tenant_id, command.account_id, pool)


async def sweep_removed_accounts(pool: Pool) -> None:
    """Forget what was on the wire when its account was removed."""
    async with pool.acquire() as connection:
        removed = await store.removed_accounts_with_submissions(connection)
    for tenant_id, account_id in removed:
        await _sweep(tenant_id, account_id, pool)


async def _sweep(tenant_id: UUID, account_id: UUID, pool: Pool) -> None:
    async def work(connection: Connection) -> int:
        resting = await store.hold_resting(connection, tenant_id, account_id, _AT_A_TIME)
        for submission in resting:
            if not submission.is_settled:
                await tell(connection, after_cancel(submission, reason="account_removed").told())
        await store.delete_submissions(
            connection, tenant_id, [submission.submission_id for submission in resting]
        )
        return len(resting)

    while await in_transaction(pool, work):
        pass

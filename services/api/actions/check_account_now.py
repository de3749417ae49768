"""Let a mail account's server be looked at now."""

from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import accounts
from services.api.store.accounts import Account
from shared.bus import tell
from shared.contracts.envelope import Caller
from shared.contracts.standing import CheckSync
from shared.db import Pool, tenant_transaction


async def check_account_now(pool: Pool, caller: Caller, account_id: UUID) -> Account:
    """Ask for it; what is found there is told as ever. Raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        account = await accounts.by_id(connection, caller.tenant_id, account_id)
        if account is None:
            raise NotFound
        await tell(connection, CheckSync(tenant_id=caller.tenant_id, account_id=account_id))
    return account

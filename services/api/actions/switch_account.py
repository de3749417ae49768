"""Pause a mail account, or let it go on."""

from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import accounts
from services.api.store.accounts import Account
from shared.bus import tell
from shared.contracts.envelope import Caller
from shared.contracts.standing import PauseSync, ResumeSync
from shared.db import Pool, tenant_transaction


async def switch_account(pool: Pool, caller: Caller, account_id: UUID, *, paused: bool) -> Account:
    """The account with what is now wanted of it; sync tells when it is so. Raises NotFound."""
    order = PauseSync if paused else ResumeSync
    async with tenant_transaction(pool, caller) as connection:
        version = await accounts.switch(connection, caller.tenant_id, account_id, paused=paused)
        account = await accounts.by_id(connection, caller.tenant_id, account_id)
        if version is None or account is None:
            raise NotFound
        await tell(
            connection,
            order(tenant_id=caller.tenant_id, account_id=account_id, version=version),
        )
    return account

"""Say what an account's servers allow and do, in place of what is known of their provider."""

from uuid import UUID

from services.api.domain.refusals import NotFound
from services.api.store import accounts
from shared.bus import tell
from shared.contracts.envelope import Caller
from shared.contracts.standing import OwnProfile, SetSenderProfile, SetSyncProfile
from shared.db import Pool, tenant_transaction


async def set_profile(pool: Pool, caller: Caller, account_id: UUID, own: OwnProfile) -> None:
    """sync and sender go by it; what is not said is as it is known. Raises NotFound."""
    tenant_id = caller.tenant_id
    async with tenant_transaction(pool, caller) as connection:
        version = await accounts.say_profile(connection, tenant_id, account_id, own)
        if version is None:
            raise NotFound
        await tell(
            connection,
            *(
                order(tenant_id=tenant_id, account_id=account_id, version=version, own=own)
                for order in (SetSyncProfile, SetSenderProfile)
            ),
        )

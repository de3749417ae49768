"""Send nothing to an address any more, or send to it again."""

from shared.bus import tell
from shared.contracts.envelope import Caller
from shared.contracts.submission import ChangeSuppression
from shared.db import Pool, tenant_transaction


async def change_suppression(
    pool: Pool, caller: Caller, email: str, *, suppressed: bool, said: str | None
) -> None:
    """Have sender do it for all of the tenant."""
    async with tenant_transaction(pool, caller) as connection:
        await tell(
            connection,
            ChangeSuppression(
                tenant_id=caller.tenant_id, email=email, suppressed=suppressed, said=said
            ),
        )

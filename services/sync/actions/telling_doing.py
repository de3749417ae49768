"""How an account is doing, kept and told in one."""

from uuid import UUID

from services.sync.store import accounts
from services.sync.store.accounts import Doing
from shared.bus import tell
from shared.contracts.account import AccountChanged
from shared.db import Connection


async def tell_doing(
    connection: Connection, account_id: UUID, tenant_id: UUID, doing: Doing, revision: int
) -> None:
    """Remember it as of this revision, which the caller took, and tell it."""
    await accounts.put_doing(connection, account_id, tenant_id, doing, revision)
    await tell(
        connection,
        AccountChanged(
            tenant_id=tenant_id,
            account_id=account_id,
            revision=revision,
            state=doing.state,
            reason=doing.reason,
            server_said=doing.server_said,
        ),
    )

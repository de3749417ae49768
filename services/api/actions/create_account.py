"""Connect a mail account."""

from datetime import UTC, datetime
from uuid import UUID

from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.connecting import Login, Seals, connect_sender, connect_sync
from services.api.domain import logbook
from services.api.store import accounts, log
from services.api.store.accounts import Account
from services.api.store.quotas import Counted, refuse_beyond
from shared.bus import tell
from shared.contracts.account import AccountState
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def create_account(
    pool: Pool, caller: Caller, seals: Seals, *, name: str, email: str, imap: Login, smtp: Login
) -> tuple[Account, dict[UUID, int]]:
    """The account, on its way to be connected. The passwords are sealed and not kept.

    Raises QuotaReached.
    """
    now = datetime.now(UTC)
    account = Account(
        account_id=uuid7(),
        name=name,
        email=email,
        version=1,
        imap=imap.endpoint,
        smtp=smtp.endpoint,
        state=AccountState.CONNECTING.value,
        reason=None,
        server_said=None,
        progress_done=None,
        progress_total=None,
        progress_mailbox=None,
        created_at=now,
        updated_at=now,
    )
    orders = (
        connect_sync(caller.tenant_id, account, imap.password, seals),
        connect_sender(caller.tenant_id, account, smtp.password, seals),
    )
    # Whoever makes an account may see it.
    owner = structs.replace(caller, account_ids=(*caller.account_ids, account.account_id))
    async with tenant_transaction(pool, owner) as connection:
        for what in (Counted.ACCOUNTS, Counted.STORAGE):
            await refuse_beyond(connection, caller.tenant_id, what)
        await accounts.add(connection, caller.tenant_id, account)
        await tell(connection, *orders)
        created = logbook.of_account(
            "created",
            tenant_id=caller.tenant_id,
            account_id=account.account_id,
            event_id=uuid7(),
            occurred_at=now,
            more={"name": name, "email": email, "state": account.state},
        )
        grew = await log.append(connection, [created])
    return account, grew

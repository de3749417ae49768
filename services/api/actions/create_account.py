"""Connect a mail account."""

from datetime import UTC, datetime
from uuid import UUID

from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.adding_account import add_account, new_account
from services.api.actions.connecting import Login, Seals, connect_sender, connect_sync
from services.api.store import log
from services.api.store.accounts import Account
from shared.contracts.envelope import Caller
from shared.db import Pool, tenant_transaction


async def create_account(
    pool: Pool, caller: Caller, seals: Seals, *, name: str, email: str, imap: Login, smtp: Login
) -> tuple[Account, dict[UUID, int]]:
    """The account, on its way to be connected. The passwords are sealed and not kept.

    Raises QuotaReached.
    """
    account = new_account(
        uuid7(),
        datetime.now(UTC),
        name=name,
        email=email,
        imap=imap.endpoint,
        smtp=smtp.endpoint,
    )
    orders = (
        connect_sync(caller.tenant_id, account, imap.password, seals),
        connect_sender(caller.tenant_id, account, smtp.password, seals),
    )
    # Whoever makes an account may see it.
    owner = structs.replace(caller, account_ids=(*caller.account_ids, account.account_id))
    async with tenant_transaction(pool, owner) as connection:
        created = await add_account(connection, caller.tenant_id, account, orders)
        grew = await log.append(connection, [created])
    return account, grew

"""A new mail account, whichever way it signs in."""

from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.domain import logbook
from services.api.domain.logbook import Entry
from services.api.store import accounts
from services.api.store.accounts import Account
from services.api.store.quotas import Counted, refuse_beyond
from shared.bus import tell
from shared.contracts.account import AccountState, Endpoint
from shared.contracts.envelope import Command
from shared.db import Connection


def new_account(
    account_id: UUID,
    now: datetime,
    *,
    name: str,
    email: str,
    imap: Endpoint,
    smtp: Endpoint,
    oauth_provider: str | None = None,
) -> Account:
    """An account on its way to be connected."""
    return Account(
        account_id=account_id,
        name=name,
        email=email,
        version=1,
        imap=imap,
        smtp=smtp,
        state=AccountState.CONNECTING.value,
        reason=None,
        server_said=None,
        progress_done=None,
        progress_total=None,
        progress_mailbox=None,
        created_at=now,
        updated_at=now,
        oauth_provider=oauth_provider,
    )


async def add_account(
    connection: Connection, tenant_id: UUID, account: Account, orders: tuple[Command, ...]
) -> Entry:
    """Keep it, have it connected, and say so; raises QuotaReached. The log is the caller's."""
    for what in (Counted.ACCOUNTS, Counted.STORAGE):
        await refuse_beyond(connection, tenant_id, what)
    await accounts.add(connection, tenant_id, account)
    await tell(connection, *orders)
    return logbook.of_account(
        "created",
        tenant_id=tenant_id,
        account_id=account.account_id,
        event_id=uuid7(),
        occurred_at=account.created_at,
        more={"name": account.name, "email": account.email, "state": account.state},
    )

"""What a connect link comes to: a new account, or the same one with another way to sign in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.adding_account import add_account, new_account
from services.api.actions.by_link import Opened
from services.api.domain import logbook
from services.api.domain.logbook import Entry
from services.api.domain.refusals import LinkInvalid
from services.api.store import accounts, connect_links, log
from services.api.store.accounts import Account
from services.api.store.connect_links import ConnectLink
from shared.bus import tell
from shared.contracts.account import AccountState, Endpoint
from shared.contracts.envelope import Command
from shared.contracts.ids import Kind, shown
from shared.db import Connection, Pool, tenant_transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an account is reached from now on, and what the services that dial are told."""

    email: str
    imap: Endpoint
    smtp: Endpoint
    oauth_provider: str | None
    orders: Callable[[Account], tuple[Command, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """What came of a link."""

    link: ConnectLink
    account: Account
    grew: dict[UUID, int]


async def complete_link(
    pool: Pool, opened: Opened, account_id: UUID, way: Way, now: datetime
) -> Connected:
    """Use the link up; raises LinkInvalid where somebody was faster, QuotaReached."""
    link, tenant_id = opened.link, opened.link.tenant_id
    # Whoever made the link may see what comes of it.
    caller = structs.replace(opened.caller, account_ids=(*opened.caller.account_ids, account_id))
    async with tenant_transaction(pool, caller) as connection:
        if not await connect_links.complete(connection, tenant_id, link.link_id, account_id, now):
            raise LinkInvalid
        if link.account_id is None:
            account = new_account(
                account_id,
                now,
                name=link.name,
                email=way.email,
                imap=way.imap,
                smtp=way.smtp,
                oauth_provider=way.oauth_provider,
            )
            entry = await add_account(connection, tenant_id, account, way.orders(account))
        else:
            account, entry = await _repair(connection, tenant_id, account_id, way, now)
        completed = logbook.of_connect_link(
            tenant_id=tenant_id,
            link_id=link.link_id,
            account_id=account_id,
            repaired=link.account_id is not None,
            event_id=uuid7(),
            occurred_at=now,
        )
        grew = await log.append(connection, [entry, completed])
    return Connected(link=link, account=account, grew=grew)


async def _repair(
    connection: Connection, tenant_id: UUID, account_id: UUID, way: Way, now: datetime
) -> tuple[Account, Entry]:
    """The same account, reached anew: ids and mail stay."""
    known = await accounts.hold(connection, tenant_id, account_id)
    if known is None:
        raise LinkInvalid
    account = structs.replace(
        known,
        version=known.version + 1,
        imap=way.imap,
        smtp=way.smtp,
        oauth_provider=way.oauth_provider,
        state=AccountState.CONNECTING.value,
        reason=None,
        server_said=None,
        updated_at=now,
    )
    await accounts.change(connection, tenant_id, account)
    await tell(connection, *way.orders(account))
    return account, logbook.of_account(
        "updated",
        tenant_id=tenant_id,
        account_id=account_id,
        event_id=uuid7(),
        occurred_at=now,
        more={"name": account.name, "email": account.email, "state": account.state},
    )


def led_back(connected: Connected) -> dict[str, str]:
    """What the address that somebody is led back to says of it."""
    return {
        "connect_status": "connected",
        "connect_link_id": shown(Kind.CONNECT_LINK, connected.link.link_id),
        "account_id": shown(Kind.ACCOUNT, connected.account.account_id),
    }

"""Make an account of somebody's consent, or repair the one it was given for."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7

from services.api.actions.by_link import Opened, whose
from services.api.actions.completing import Connected, Way, complete_link
from services.api.actions.connecting import Seals
from services.api.domain.consents import verifier
from services.api.domain.refusals import LinkInvalid
from services.api.domain.tokens import secret_hash
from services.api.store import accounts, connect_links
from services.api.store.accounts import Account
from services.api.store.connect_links import Begun
from shared.bus import Bus, NoAnswer
from shared.contracts.account import ConnectSender, ConnectSync
from shared.contracts.envelope import Command
from shared.contracts.oauth import (
    Provider,
    RedeemCode,
    Redeemed,
    Redemption,
    belongs_to,
)
from shared.db import Pool, tenant_transaction
from shared.seal import SealingKeys, seal_own


class ConsentRefused(Exception):
    """The mailbox could not be connected by this consent."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(self.__doc__)
        self.reason = reason


#: So long somebody may take at their provider.
_WITHIN = timedelta(minutes=30)


async def take_answer(
    pool: Pool, installed: Mapping[str, Provider], *, state: str, browser: str, now: datetime
) -> tuple[Begun, Opened]:
    """Whose answer came back; good once. Raises LinkInvalid, TenantSuspended."""
    async with pool.acquire() as connection:
        begun = await connect_links.returned(
            connection,
            state_hash=secret_hash(state),
            browser_hash=secret_hash(browser),
            now=now,
            within=_WITHIN,
        )
        if begun is None:
            raise LinkInvalid("This was begun in another browser, or too long ago. Begin again.")
        return begun, await whose(connection, begun.link, installed)


async def finish_consent(
    pool: Pool,
    bus: Bus,
    seals: Seals,
    begun: Begun,
    opened: Opened,
    *,
    code: str,
    state: str,
    browser: str,
    redirect_uri: str,
    now: datetime,
) -> Connected:
    """sync makes a grant of the code; then the account is there, or is as new.

    Raises ConsentRefused, LinkInvalid, QuotaReached.
    """
    link, caller = opened.link, opened.caller
    provider = opened.providers.get(begun.provider)
    if provider is None:
        raise LinkInvalid
    repaired = None
    if link.account_id is not None:
        async with tenant_transaction(pool, caller) as connection:
            repaired = await accounts.by_id(connection, link.tenant_id, link.account_id)
        if repaired is None:
            raise LinkInvalid
    account_id, grant_id = link.account_id or uuid7(), uuid7()
    redemption = Redemption(
        code=code,
        verifier=verifier(state, browser),
        redirect_uri=redirect_uri,
        client_id=provider.client_id,
        token_endpoint=provider.token_endpoint,
        username=begun.username if repaired is None else _username(repaired),
        repairs=repaired is not None,
        imap=provider.imap,
        smtp=provider.smtp,
    )
    query = RedeemCode(
        caller=caller,
        grant_id=grant_id,
        account_id=account_id,
        provider=provider.name,
        sealed=_sealed(redemption, link.tenant_id, account_id, grant_id, provider, seals.sync),
    )
    try:
        answer = await bus.ask(query, Redeemed)
    except NoAnswer as silence:
        raise ConsentRefused(reason="not_available") from silence
    if answer.username is None:
        raise ConsentRefused(reason=answer.problem.code if answer.problem else "not_available")
    username = answer.username
    way = Way(
        email=username if "@" in username else link.email or username,
        imap=provider.imap.of(username),
        smtp=provider.smtp.of(username),
        oauth_provider=provider.name,
        orders=lambda account: _orders(link.tenant_id, account, grant_id),
    )
    return await complete_link(pool, opened, account_id, way, now)


def _orders(tenant_id: UUID, account: Account, grant_id: UUID) -> tuple[Command, ...]:
    return (
        ConnectSync(
            tenant_id=tenant_id,
            account_id=account.account_id,
            version=account.version,
            email=account.email,
            endpoint=account.imap,
            sealed=b"",
            grant_id=grant_id,
        ),
        ConnectSender(
            tenant_id=tenant_id,
            account_id=account.account_id,
            version=account.version,
            email=account.email,
            endpoint=account.smtp,
            sealed=b"",
            by_token=True,
        ),
    )


def _username(account: Account) -> str:
    return account.imap.username if account.oauth_provider else account.email


def _sealed(
    redemption: Redemption,
    tenant_id: UUID,
    account_id: UUID,
    grant_id: UUID,
    provider: Provider,
    keys: SealingKeys,
) -> bytes:
    what = belongs_to(tenant_id, account_id, grant_id, provider.name)
    return seal_own(msgspec.json.encode(redemption), keys, what)

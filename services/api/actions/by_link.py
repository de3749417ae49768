"""Who comes with a connect link: what they may do, and on whose behalf."""

from collections.abc import Mapping
from datetime import datetime

from services.api.domain.refusals import LinkInvalid, TenantSuspended
from services.api.domain.rights import Role, Scope, scopes_of
from services.api.domain.tokens import secret_hash
from services.api.store import connect_links, oauth_providers, people, tenants
from services.api.store.connect_links import ConnectLink
from shared.contracts.envelope import Caller
from shared.contracts.oauth import Provider
from shared.db import Connection, Pool


class Opened:
    """A link that is good, whose tenant asks, and where one may consent."""

    def __init__(
        self, link: ConnectLink, caller: Caller, tenant_name: str, providers: dict[str, Provider]
    ) -> None:
        self.link, self.caller, self.tenant_name = link, caller, tenant_name
        self.providers = providers


async def open_link(
    pool: Pool, token: str, installed: Mapping[str, Provider], now: datetime
) -> Opened:
    """Raises LinkInvalid, TenantSuspended."""
    async with pool.acquire() as connection:
        link = await connect_links.opened(connection, secret_hash(token), now)
        if link is None:
            raise LinkInvalid
        return await whose(connection, link, installed)


async def whose(
    connection: Connection, link: ConnectLink, installed: Mapping[str, Provider]
) -> Opened:
    """Made by somebody who may still connect accounts; raises LinkInvalid, TenantSuspended."""
    access = await people.access_of_member(
        connection, tenant_id=link.tenant_id, person_id=link.made_by
    )
    tenant = await tenants.by_id(connection, link.tenant_id)
    if access is None or tenant is None:
        raise LinkInvalid
    if access.suspended:
        raise TenantSuspended(access.suspended_for)
    if Scope.ACCOUNT_ADMIN not in scopes_of(Role(access.role)):
        raise LinkInvalid
    own = await oauth_providers.all_of(connection, link.tenant_id)
    providers = known(installed, {name: one.provider for name, one in own.items()})
    return Opened(
        link,
        Caller(
            tenant_id=link.tenant_id,
            account_ids=tuple(access.account_ids),
            person_id=link.made_by,
        ),
        tenant.name,
        {name: one for name, one in providers.items() if link.allows(name)},
    )


def known(installed: Mapping[str, Provider], own: Mapping[str, Provider]) -> dict[str, Provider]:
    """All providers of a tenant by name: its own stand before those of the installation."""
    return {**installed, **own}

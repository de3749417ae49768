"""Make a link by which somebody connects their mailbox."""

from collections.abc import Mapping

from services.api.actions.by_link import known
from services.api.domain.consents import may_return_to, origin_of
from services.api.domain.refusals import NotFound, ProviderUnknown, ReturnUrlRefused
from services.api.store import accounts, connect_links, oauth_providers, tenants
from services.api.store.connect_links import ConnectLink
from shared.contracts.envelope import Caller
from shared.contracts.oauth import Provider
from shared.db import Pool, tenant_transaction


async def make_connect_link(
    pool: Pool,
    caller: Caller,
    link: ConnectLink,
    link_hash: bytes,
    installed: Mapping[str, Provider],
    here: str,
) -> None:
    """Raises NotFound, ProviderUnknown, ReturnUrlRefused. It may lead back to any page of ours."""
    async with tenant_transaction(pool, caller) as connection:
        if (
            link.account_id is not None
            and await accounts.by_id(connection, caller.tenant_id, link.account_id) is None
        ):
            raise NotFound
        own = await oauth_providers.all_of(connection, caller.tenant_id)
        names = known(installed, {name: one.provider for name, one in own.items()})
        if unknown := set(link.providers or ()) - set(names):
            raise ProviderUnknown(
                f"Nobody has configured {', '.join(sorted(unknown))} here.",
                pointers=("/providers",),
            )
        if link.return_url is not None and origin_of(link.return_url) != origin_of(here):
            allowed = await tenants.return_urls(connection, caller.tenant_id)
            if not may_return_to(link.return_url, allowed):
                raise ReturnUrlRefused(pointers=("/return_url",))
        await connect_links.add(connection, link, link_hash)

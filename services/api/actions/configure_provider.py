"""A tenant's own client at an OAuth2 provider."""

from datetime import datetime

from services.api.domain.refusals import NotFound
from services.api.store import oauth_providers
from services.api.store.oauth_providers import OwnProvider
from shared.bus import tell
from shared.contracts.envelope import Caller
from shared.contracts.oauth import ConfigureClient, Provider, secret_belongs_to
from shared.db import Pool, tenant_transaction
from shared.seal import SealingKeys, seal_own


async def configure_provider(
    pool: Pool,
    caller: Caller,
    sync_keys: SealingKeys,
    provider: Provider,
    secret: str | None,
    now: datetime,
) -> OwnProvider:
    """Take it over; without a secret the one it has stays, for the same client and endpoint."""
    tenant_id = caller.tenant_id
    async with tenant_transaction(pool, caller) as connection:
        before = (await oauth_providers.all_of(connection, tenant_id)).get(provider.name)
        stays = (
            before is not None
            and before.has_secret
            and (before.provider.client_id, before.provider.token_endpoint)
            == (provider.client_id, provider.token_endpoint)
        )
        own = OwnProvider(provider=provider, has_secret=secret is not None or stays, updated_at=now)
        await oauth_providers.put(connection, tenant_id, own)
        what = secret_belongs_to(
            tenant_id, provider.name, provider.client_id, provider.token_endpoint
        )
        await tell(
            connection,
            ConfigureClient(
                tenant_id=tenant_id,
                name=provider.name,
                version=_version(now),
                token_endpoint=provider.token_endpoint,
                client_id=provider.client_id,
                client_authentication=provider.client_authentication,
                revocation_endpoint=provider.revocation_endpoint,
                sealed_secret=None
                if secret is None
                else seal_own(secret.encode(), sync_keys, what),
            ),
        )
        return own


async def remove_provider(pool: Pool, caller: Caller, name: str, now: datetime) -> None:
    """Have no client of one's own there any more; raises NotFound."""
    async with tenant_transaction(pool, caller) as connection:
        if not await oauth_providers.remove(connection, caller.tenant_id, name):
            raise NotFound
        await tell(
            connection,
            ConfigureClient(
                tenant_id=caller.tenant_id, name=name, version=_version(now), removed=True
            ),
        )


def _version(now: datetime) -> int:
    """Later is newer, also where one is removed and made again."""
    return int(now.timestamp() * 1_000_000)

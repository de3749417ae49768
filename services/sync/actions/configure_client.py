"""A tenant has its own client at a provider, has another, or has none any more."""

from services.sync.store import grants
from shared.contracts.oauth import ConfigureClient
from shared.db import Pool
from shared.seal import key_id_of


async def configure_client(command: ConfigureClient, pool: Pool) -> None:
    """Take it over, unless newer settings came before."""
    sealed = command.sealed_secret
    async with pool.acquire() as connection:
        await grants.put_client(
            connection,
            tenant_id=command.tenant_id,
            name=command.name,
            version=command.version,
            client_id=command.client_id,
            token_endpoint=command.token_endpoint,
            client_authentication=command.client_authentication,
            sealed_secret=sealed,
            seal_key_id=None if sealed is None else key_id_of(sealed),
            revocation_endpoint=command.revocation_endpoint,
            removed=command.removed,
        )

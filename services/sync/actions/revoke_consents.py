"""Consents of removed accounts are ended at their provider, too (RFC 7009)."""

import structlog

from services.sync.actions.refreshing import client_of, opened
from services.sync.domain.tokens import ProviderAway
from services.sync.settings import Settings
from services.sync.store import grants
from services.sync.store.grants import KeptGrant
from services.sync.web.token_endpoint import revoke
from shared.db import Pool
from shared.seal import OpeningKeys, SealError

log = structlog.get_logger()

_AT_A_TIME = 20


async def revoke_consents(settings: Settings, keys: OpeningKeys, pool: Pool) -> bool:
    """End those whose time has come, and forget them; whether there may be more."""
    async with pool.acquire() as connection:
        due = await grants.claim_to_revoke(connection, _AT_A_TIME, settings.oauth_seconds)
    for kept, is_last in due:
        try:
            await _revoke(kept, settings, keys, pool)
        except ProviderAway as away:
            log.warning("consent not revoked", provider=kept.provider, said=away.said)
            if not is_last:
                continue
        except SealError:
            log.warning("consent not readable", provider=kept.provider)
        async with pool.acquire() as connection:
            await grants.forget(connection, kept)
    return len(due) == _AT_A_TIME


async def _revoke(kept: KeptGrant, settings: Settings, keys: OpeningKeys, pool: Pool) -> None:
    """Raises ProviderAway, SealError."""
    grant = opened(kept, keys)
    client = await client_of(kept.tenant_id, kept.provider, settings, keys, pool)
    if client is None or (client.client_id, client.token_endpoint) != (
        grant.client_id,
        grant.token_endpoint,
    ):
        return  # the client it was given to is not ours any more
    async with pool.acquire() as connection:
        if await grants.is_shared(connection, kept, grant.imap.username, grant.client_id):
            return
    await revoke(
        client, grant.refresh_token, policy=settings.dial_policy, seconds=settings.oauth_seconds
    )
    log.info("consent revoked", provider=kept.provider)

"""Make a grant of the code that a provider gave for somebody's consent (RFC 6749 §4.1.3)."""

import msgspec
import structlog

from services.sync.actions.refreshing import client_of, sealed_access, sealed_grant
from services.sync.domain.grant import Grant
from services.sync.domain.tokens import ClientRefused, GrantEnded, TokenError
from services.sync.settings import Settings
from services.sync.store import grants
from services.sync.web.token_endpoint import ask_tokens
from shared.contracts.envelope import Problem
from shared.contracts.oauth import RedeemCode, Redeemed, Redemption, belongs_to
from shared.db import Pool
from shared.seal import OpeningKeys, SealError, key_id_of, open_own

log = structlog.get_logger()


async def redeem_code(
    query: RedeemCode, settings: Settings, keys: OpeningKeys, pool: Pool
) -> Redeemed:
    """A code is good once: what comes of it is kept here before anybody is told."""
    tenant_id = query.caller.tenant_id
    what = belongs_to(tenant_id, query.account_id, query.grant_id, query.provider)
    try:
        plain = open_own(query.sealed, keys, what)
        redemption = msgspec.json.decode(plain, type=Redemption)
        client = await client_of(tenant_id, query.provider, settings, keys, pool)
        if client is None or (client.client_id, client.token_endpoint) != (
            redemption.client_id,
            redemption.token_endpoint,
        ):
            return _refused("provider_unknown", "sync does not know this provider, or not so.")
        tokens = await ask_tokens(
            client,
            {
                "grant_type": "authorization_code",
                "code": redemption.code,
                "code_verifier": redemption.verifier,
                "redirect_uri": redemption.redirect_uri,
            },
            policy=settings.dial_policy,
            seconds=settings.oauth_seconds,
        )
    except (SealError, msgspec.MsgspecError):
        return _refused("not_readable", "The keys of api and sync do not fit together.")
    except GrantEnded as ended:
        return _refused("code_refused", ended.said)
    except ClientRefused as refused:
        return _refused("client_refused", refused.said)
    except TokenError as away:
        return _refused("provider_unavailable", away.said)
    if tokens.refresh_token is None:
        return _refused("no_refresh_token", "The provider gave access for a moment only.")
    username = redemption.username
    if tokens.identity is not None:
        same = tokens.identity.casefold() == username.casefold()
        if redemption.repairs and not same:
            return _refused("another_mailbox", tokens.identity)
        username = username if same else tokens.identity
    grant = Grant(
        tenant_id=tenant_id,
        account_id=query.account_id,
        provider=query.provider,
        token_endpoint=client.token_endpoint,
        client_id=client.client_id,
        refresh_token=tokens.refresh_token,
        imap=redemption.imap.of(username),
        smtp=redemption.smtp.of(username),
    )
    sealed = sealed_grant(grant, query.grant_id, keys)
    async with pool.acquire() as connection:
        await grants.add(
            connection,
            query.grant_id,
            tenant_id,
            query.account_id,
            query.provider,
            sealed,
            key_id_of(sealed),
            sealed_access(tokens.access_token, query.grant_id, keys),
            refresh_in=tokens.refresh_in,
            expires_in=tokens.lives_seconds,
        )
    return Redeemed(username=username)


def _refused(code: str, detail: str) -> Redeemed:
    log.info("consent not redeemed", code=code)
    return Redeemed(problem=Problem(code=code, detail=detail))

"""Access tokens: the one of now, or a new one, which one asks for on behalf of all.

Whoever finds a token due claims its grant, asks the provider, and keeps what came before anybody
uses it: of a refresh token that is replaced at each use there is then always one that is good. The
others take the token of now while it lives, or wait for the new one. A claim is a moment in the row
and no lock: a provider that is slow to answer holds no connection to the database.
"""

import asyncio
import random
import time
from hashlib import sha256
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct, structs

from services.sync.domain.grant import Grant
from services.sync.domain.tokens import ClientRefused, GrantEnded, ProviderAway, TokenError, Tokens
from services.sync.metrics import TOKEN_REFRESHES
from services.sync.settings import Settings
from services.sync.store import grants
from services.sync.store.grants import KeptGrant
from services.sync.web.token_endpoint import Client, ask_tokens
from shared.contracts.oauth import secret_belongs_to
from shared.db import Pool, putting_off
from shared.seal import OpeningKeys, SealError, key_id_of, open_own, seal_own
from shared.telemetry import end

log = structlog.get_logger()

#: A token that ends sooner is not begun with.
_LAST_SECONDS = 20.0
#: Longer than a provider may take, so that who claims is done before another may.
_CLAIM_MORE_SECONDS = 10.0
_LOOK_SECONDS = 0.1
_AWAY_SECONDS = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 300.0
_CLIENT_PAUSE = 60.0


class Issued(Struct, frozen=True, kw_only=True):
    """An access token, how long it lives, and what it is for."""

    token: str
    seconds_left: float
    minted: bool  # just now: a server that refuses it refuses the next one as well
    grant: Grant

    def __repr__(self) -> str:
        return f"Issued({self.grant}, {self.seconds_left:.0f} s)"


class Refresher:
    """Who has a token of each consent in this process, and asks for new ones."""

    def __init__(self, settings: Settings, keys: OpeningKeys, pool: Pool) -> None:
        self._settings = settings
        self._keys = keys
        self._pool = pool
        #: A task that nobody holds may be forgotten in the middle.
        self._under_way: set[asyncio.Task[Issued]] = set()

    async def token(
        self, tenant_id: UUID, grant_id: UUID, *, refused: bytes | None = None
    ) -> Issued:
        """A token that is good for a while; raises TokenError, SealError.

        `refused`: the SHA-256 of one that a server did not take, though it should still live.
        """
        seconds = self._settings.oauth_seconds + _CLAIM_MORE_SECONDS
        patience = time.monotonic() + seconds
        while True:
            async with self._pool.acquire() as connection:
                kept = await grants.by_id(connection, tenant_id, grant_id)
            if kept is None:
                raise GrantEnded("There is no consent for this account any more.")
            if kept.ended:
                raise GrantEnded(kept.said or "")
            now = _of_now(kept, self._keys, refused)
            if now is not None and (not kept.due or kept.claimed or kept.rests_seconds):
                return now
            if kept.rests_seconds:
                raise ProviderAway(kept.said or "", retry_after=kept.rests_seconds)
            async with self._pool.acquire() as connection:
                ours = not kept.claimed and await grants.claim(connection, kept, seconds)
            if ours:
                try:
                    return await self._shielded(kept)
                except ProviderAway:
                    if now is not None:
                        return now
                    raise
            if time.monotonic() > patience:
                raise ProviderAway("Another process asks the provider, and has no answer yet.")
            # The end of another process's refresh is no event here.
            await asyncio.sleep(_LOOK_SECONDS)

    async def close(self) -> None:
        """Keep what providers are about to answer: it may hold the only good token."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._settings.oauth_seconds)
        await end(self._under_way)

    async def _shielded(self, kept: KeptGrant) -> Issued:
        """To the end, also where whoever asked is gone."""
        refresh = _refresh(kept, self._settings, self._keys, self._pool)
        task = asyncio.create_task(refresh, name="token refresh")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def sealed_grant(grant: Grant, grant_id: UUID, keys: OpeningKeys) -> bytes:
    return seal_own(msgspec.json.encode(grant), keys, _belongs_to("grant", grant_id))


def sealed_access(token: str, grant_id: UUID, keys: OpeningKeys) -> bytes:
    return seal_own(token.encode(), keys, _belongs_to("access", grant_id))


async def client_of(
    tenant_id: UUID, name: str, settings: Settings, keys: OpeningKeys, pool: Pool
) -> Client | None:
    """The tenant's own client at a provider, else that of the installation; raises SealError."""
    async with pool.acquire() as connection:
        own = await grants.client(connection, tenant_id, name)
    if own is None:
        return settings.oauth_clients.get(name)
    secret = None
    if own.sealed_secret is not None:
        what = secret_belongs_to(tenant_id, name, own.client_id, own.token_endpoint)
        secret = open_own(own.sealed_secret, keys, what).decode()
    return Client(
        client_id=own.client_id,
        token_endpoint=own.token_endpoint,
        secret=secret,
        authentication=own.client_authentication,
        revocation_endpoint=own.revocation_endpoint,
    )


def _belongs_to(what: str, grant_id: UUID) -> str:
    return f"{what} {grant_id}"


def _of_now(kept: KeptGrant, keys: OpeningKeys, refused: bytes | None) -> Issued | None:
    if kept.access_sealed is None or kept.seconds_left < _LAST_SECONDS:
        return None
    token = open_own(kept.access_sealed, keys, _belongs_to("access", kept.grant_id)).decode()
    if refused is not None and sha256(token.encode()).digest() == refused:
        return None
    return Issued(
        token=token, seconds_left=kept.seconds_left, minted=False, grant=opened(kept, keys)
    )


def opened(kept: KeptGrant, keys: OpeningKeys) -> Grant:
    """What a kept consent is; raises SealError."""
    plain = open_own(kept.sealed, keys, _belongs_to("grant", kept.grant_id))
    return msgspec.json.decode(plain, type=Grant)


async def _refresh(kept: KeptGrant, settings: Settings, keys: OpeningKeys, pool: Pool) -> Issued:
    try:
        grant = opened(kept, keys)
        client = await client_of(kept.tenant_id, kept.provider, settings, keys, pool)
        if client is None:
            raise ClientRefused(f"There is no provider named {kept.provider} here any more.")
        if (client.client_id, client.token_endpoint) != (grant.client_id, grant.token_endpoint):
            raise GrantEnded("The consent was given to another client than the one of now.")
        tokens = await ask_tokens(
            client,
            {"grant_type": "refresh_token", "refresh_token": grant.refresh_token},
            policy=settings.dial_policy,
            seconds=settings.oauth_seconds,
        )
    except (TokenError, SealError) as error:
        await _failed(kept, error, pool)
        raise
    if tokens.refresh_token is not None:
        grant = structs.replace(grant, refresh_token=tokens.refresh_token)
    await _keep(kept, grant, tokens, keys, pool)
    TOKEN_REFRESHES.labels("ok").inc()
    log.info("token refreshed", account_id=str(kept.account_id), provider=kept.provider)
    return Issued(
        token=tokens.access_token, seconds_left=tokens.lives_seconds, minted=True, grant=grant
    )


async def _keep(
    kept: KeptGrant, grant: Grant, tokens: Tokens, keys: OpeningKeys, pool: Pool
) -> None:
    """Tried until the database takes it: what is not kept here is nowhere."""
    sealed = sealed_grant(grant, kept.grant_id, keys)
    access = sealed_access(tokens.access_token, kept.grant_id, keys)
    while True:
        with putting_off("keeping tokens"):
            async with pool.acquire() as connection:
                await grants.put_refreshed(
                    connection,
                    kept,
                    sealed,
                    key_id_of(sealed),
                    access,
                    refresh_in=tokens.refresh_in,
                    expires_in=tokens.lives_seconds,
                )
            return
        await asyncio.sleep(_AWAY_SECONDS)


async def _failed(kept: KeptGrant, error: TokenError | SealError, pool: Pool) -> None:
    """What went wrong is one state for all who ask, and the provider is not asked for each."""
    async with pool.acquire() as connection:
        match error:
            case GrantEnded():
                await grants.end(connection, kept, error.said)
                result = "ended"
            case ProviderAway():
                pause = min(_FIRST_PAUSE * 2 ** min(kept.failures, 10), _LONGEST_PAUSE)
                pause = error.retry_after or pause * (0.5 + random.random() / 2)  # noqa: S311 - spreads load
                await grants.put_failed(connection, kept, error.said, pause)
                result = "unavailable"
            case _:
                await grants.put_failed(connection, kept, str(error), _CLIENT_PAUSE)
                result = "refused"
    TOKEN_REFRESHES.labels(result).inc()
    log.warning(
        "token not refreshed",
        account_id=str(kept.account_id),
        provider=kept.provider,
        result=result,
        error=type(error).__name__,
    )

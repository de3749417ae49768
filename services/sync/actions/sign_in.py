"""From an account to a session with its server. The password is opened here and nowhere else."""

import functools
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from uuid import UUID

from services.sync.actions.refreshing import Issued, Refresher
from services.sync.imap.errors import TokenRefused
from services.sync.imap.session import Session, connect
from services.sync.imap.wire import Endpoint as Place
from services.sync.imap.wire import Timeouts
from services.sync.settings import Settings
from services.sync.store import accounts
from services.sync.store.accounts import Account
from shared.db import Pool
from shared.dial import dial, tls_context
from shared.seal import (
    Destination,
    Mismatch,
    OpeningKeys,
    is_newest,
    key_id_of,
    open_sealed,
    reseal,
)

#: A session is left for a new one so long before its token ends.
_RENEW_SECONDS = 60.0

#: Some providers open no mailbox for a program that has not said who it is (ID, RFC 2971).
_WE = {"name": "Postbus", "vendor": "Postbus"}


@asynccontextmanager
async def sign_in(
    account: Account, settings: Settings, keys: OpeningKeys, pool: Pool, refresher: Refresher
) -> AsyncGenerator[Session]:
    """A session of this account; raises ImapError, SealError, TokenError."""
    if account.grant_id is not None:
        # Before we dial: who has no token has nothing to say to the server.
        issued = await _token(account, account.grant_id, refresher)
        async with _connected(account, settings) as session:
            await _with_token(session, account, account.grant_id, issued, refresher)
            await session.id(_WE)
            yield session
        return
    destination = Destination.of(
        account.endpoint,
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        purpose="imap",
    )
    credential = open_sealed(account.sealed, keys, destination)
    async with _connected(account, settings) as session:
        await session.login(account.endpoint.username, credential.secret)
        await session.id(_WE)
        if not is_newest(account.sealed, keys):
            anew = reseal(account.sealed, keys, destination)
            async with pool.acquire() as connection, connection.transaction():
                await accounts.reseal(connection, account, anew, key_id_of(anew))
        yield session


@asynccontextmanager
async def _connected(account: Account, settings: Settings) -> AsyncGenerator[Session]:
    async with connect(
        Place(
            host=account.endpoint.host,
            port=account.endpoint.port,
            security=account.endpoint.security,
        ),
        dial=functools.partial(
            dial, policy=settings.dial_policy, timeout=settings.dial_timeout_seconds
        ),
        tls=tls_context(verify=account.endpoint.verify_certificate),
        timeouts=Timeouts(silence=settings.command_seconds),
    ) as session:
        yield session


async def _token(
    account: Account, grant_id: UUID, refresher: Refresher, refused: bytes | None = None
) -> Issued:
    """A token for exactly the place we are about to dial."""
    issued = await refresher.token(account.tenant_id, grant_id, refused=refused)
    grant = issued.grant
    if (grant.tenant_id, grant.account_id, grant.imap) != (
        account.tenant_id,
        account.account_id,
        account.endpoint,
    ):
        raise Mismatch("The consent is for another server or account than this one.")
    return issued


async def _with_token(
    session: Session, account: Account, grant_id: UUID, issued: Issued, refresher: Refresher
) -> None:
    """Sign in; where the server takes a token for ended that should still live, with a new one.

    Clocks differ, and a withdrawn consent may show at the server first. One that was made this
    moment is not replaced: the server would refuse the next one, too.
    """
    place = account.endpoint
    try:
        await session.authenticate(place.username, issued.token, host=place.host, port=place.port)
    except TokenRefused:
        if issued.minted:
            raise
        refused = sha256(issued.token.encode()).digest()
        issued = await _token(account, grant_id, refresher, refused)
        await session.authenticate(place.username, issued.token, host=place.host, port=place.port)
    session.renew_at = time.monotonic() + max(
        issued.seconds_left - _RENEW_SECONDS, issued.seconds_left / 2
    )

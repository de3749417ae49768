"""From an account to a session with its server. The password is opened here and nowhere else."""

import functools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from services.sync.imap.session import Session, connect
from services.sync.imap.wire import Endpoint as Place
from services.sync.imap.wire import Timeouts
from services.sync.settings import Settings
from services.sync.store import accounts
from services.sync.store.accounts import Account
from shared.db import Pool
from shared.dial import dial, tls_context
from shared.seal import Destination, OpeningKeys, is_newest, key_id_of, open_sealed, reseal


@asynccontextmanager
async def sign_in(
    account: Account, settings: Settings, keys: OpeningKeys, pool: Pool
) -> AsyncGenerator[Session]:
    """A session of this account; raises ImapError, SealError."""
    destination = Destination.of(
        account.endpoint,
        tenant_id=account.tenant_id,
        account_id=account.account_id,
        purpose="imap",
    )
    credential = open_sealed(account.sealed, keys, destination)
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
        await session.login(account.endpoint.username, credential.secret)
        if not is_newest(account.sealed, keys):
            anew = reseal(account.sealed, keys, destination)
            async with pool.acquire() as connection, connection.transaction():
                await accounts.reseal(connection, account, anew, key_id_of(anew))
        yield session

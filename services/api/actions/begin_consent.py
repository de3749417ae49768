"""Send somebody to their provider."""

import base64
import secrets
from datetime import datetime

from services.api.actions.by_link import Opened
from services.api.domain.consents import authorization_url
from services.api.domain.tokens import secret_hash
from services.api.store import connect_links
from shared.contracts.oauth import Provider
from shared.db import Pool

_RANDOM_BYTES = 32


def random_secret() -> str:
    """256 random bits, fit for a query and a cookie."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_RANDOM_BYTES)).decode().rstrip("=")


async def begin_consent(
    pool: Pool,
    opened: Opened,
    provider: Provider,
    *,
    redirect_uri: str,
    browser: str,
    username: str,
    now: datetime,
) -> str:
    """Where to send them; the answer counts in this browser, once, and soon."""
    state = random_secret()
    async with pool.acquire() as connection:
        await connect_links.begin(
            connection,
            opened.link,
            state_hash=secret_hash(state),
            browser_hash=secret_hash(browser),
            provider=provider.name,
            username=username,
            now=now,
        )
    return authorization_url(
        provider, redirect_uri=redirect_uri, state=state, browser=browser, username=username
    )

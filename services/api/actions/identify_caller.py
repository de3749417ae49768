"""Learn who asks, and what they may see."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.api.domain.refusals import TokenRefused
from services.api.domain.tokens import Claims, TokenKeys, claims_of
from services.api.store import people
from shared.contracts.envelope import Caller
from shared.db import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody signed in, and the callers they are."""

    claims: Claims
    caller: Caller  # of what is there now
    reader: Caller  # of the log, which also tells that an account went


def claims_shown(token: str, keys: TokenKeys) -> Claims:
    """Whom an access token speaks for; raises TokenRefused."""
    return claims_of(token, keys, now=datetime.now(UTC))


async def identify_caller(pool: Pool, claims: Claims, request_id: str | None) -> Identity:
    """What the session behind these claims may see at this moment; raises TokenRefused."""
    async with pool.acquire() as connection:
        access = await people.access_of(
            connection,
            tenant_id=claims.tenant_id,
            person_id=claims.person_id,
            session_id=claims.session_id,
            now=datetime.now(UTC),
        )
    if access is None:
        raise TokenRefused("The session is over; sign in again.")
    return Identity(
        claims=claims,
        caller=Caller(
            tenant_id=claims.tenant_id,
            account_ids=tuple(access.account_ids),
            request_id=request_id,
        ),
        reader=Caller(
            tenant_id=claims.tenant_id,
            account_ids=(*access.account_ids, *access.past_account_ids),
            request_id=request_id,
        ),
    )

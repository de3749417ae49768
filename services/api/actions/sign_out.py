"""End a session."""

from datetime import UTC, datetime

from services.api.domain.tokens import Claims
from services.api.store import people
from shared.db import Pool


async def sign_out(pool: Pool, claims: Claims) -> None:
    """None of the tokens of this session is good any more."""
    async with pool.acquire() as connection:
        await people.revoke_session(
            connection, claims.tenant_id, claims.session_id, datetime.now(UTC)
        )

"""Let somebody in who is known."""

import asyncio
from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from services.api.actions.sessions import Issuer, SignedIn, issue
from services.api.domain import passwords
from services.api.domain.refusals import SignInRefused
from services.api.domain.tokens import Claims
from services.api.store import people
from shared.db import Pool


async def sign_in(pool: Pool, issuer: Issuer, *, email: str, password: str) -> SignedIn:
    """A session for whoever has this address and this password; raises SignInRefused."""
    async with pool.acquire() as connection:
        person = await people.person_with(connection, email)
    kept = person.password_hash if person else passwords.NOBODY
    # Checked also when there is nobody, and without holding a connection meanwhile.
    right = await asyncio.to_thread(passwords.matches, kept, password)
    if person is None or not right:
        raise SignInRefused
    rehashed = (
        await asyncio.to_thread(passwords.hashed, password) if passwords.is_outdated(kept) else None
    )
    now = datetime.now(UTC)
    claims = Claims(tenant_id=person.tenant_id, person_id=person.person_id, session_id=uuid7())
    async with pool.acquire() as connection, connection.transaction():
        if rehashed:
            await people.change_password_hash(connection, person.person_id, rehashed)
        await people.open_session(
            connection,
            session_id=claims.session_id,
            tenant_id=person.tenant_id,
            person_id=person.person_id,
            expires_at=now + issuer.refresh_lives,
        )
        return await issue(connection, issuer, person, claims, now)

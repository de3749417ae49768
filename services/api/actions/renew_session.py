"""Go on with a session: one refresh token for a new pair."""

from datetime import UTC, datetime

import structlog

from services.api.actions.sessions import Issuer, SignedIn, issue, signed_in
from services.api.domain.refusals import TokenRefused
from services.api.domain.tokens import Claims, secret_hash
from services.api.store import audit_log, people
from services.api.store.people import Client
from shared.db import Pool

log = structlog.get_logger()


async def renew_session(pool: Pool, issuer: Issuer, *, refresh_token: str) -> SignedIn:
    """New tokens; raises TokenRefused.

    A token is good once. One that comes again was copied, and nobody can say whether the thief
    or the owner came first: the whole session ends (RFC 9700 §4.14.2).
    """
    token_hash = secret_hash(refresh_token)
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        known = await people.hold_refresh_token(connection, token_hash)
        if known is not None and known.used_at is None:
            if known.revoked_at is None and known.expires_at > now:
                await people.use_refresh_token(connection, token_hash, now)
                claims = Claims(
                    tenant_id=known.person.tenant_id,
                    person_id=known.person.person_id,
                    session_id=known.session_id,
                )
                return await issue(connection, issuer, known.person, claims, now)
        elif known is not None:
            await people.revoke_session(connection, known.person.tenant_id, known.session_id, now)
            again = signed_in(known.person, Client(), now, "session.stolen")
            await audit_log.note(connection, again)
            log.warning("refresh token came again, session revoked", session=str(known.session_id))
    raise TokenRefused("The refresh token is unknown, used, expired or revoked.")

"""Let somebody in who is known."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.hashing import Hashing
from services.api.actions.sessions import Issuer, SignedIn, issue, signed_in
from services.api.actions.signing_in import note_place, prove_password
from services.api.domain.tokens import Claims
from services.api.store import audit_log, people
from services.api.store.people import Client
from shared.db import Pool


async def sign_in(
    pool: Pool,
    hashing: Hashing,
    issuer: Issuer,
    *,
    email: str,
    password: str,
    client: Client,
    tenant_id: UUID | None = None,
    rather: UUID | None = None,
    tell: bool = False,
) -> SignedIn:
    """A session for whoever has this address and this password; raises SignInRefused."""
    person, rehashed = await prove_password(
        pool,
        hashing,
        email=email,
        password=password,
        tenant_id=tenant_id,
        rather=rather,
        client=client,
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
            client=client,
        )
        await note_place(connection, person.person_id, client, now, tell=tell)
        await audit_log.note(connection, signed_in(person, client, now, "session.opened"))
        return await issue(connection, issuer, person, claims, now)

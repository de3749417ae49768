"""Let somebody in whose browser keeps the session in a cookie."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from services.api.actions.hashing import Hashing
from services.api.actions.sessions import signed_in
from services.api.actions.signing_in import note_place, prove_password
from services.api.domain.tokens import KEY_BYTES, cookie_secret, secret_hash
from services.api.store import audit_log, people
from services.api.store.people import Client, Person
from shared.db import Pool


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Somebody signed in, and what their browser is to keep."""

    person: Person
    secret: str

    def __repr__(self) -> str:
        return f"BrowserSession(person {self.person.person_id}, secret hidden)"


async def open_browser_session(
    pool: Pool,
    hashing: Hashing,
    *,
    email: str,
    password: str,
    client: Client,
    lives: timedelta,
    tenant_id: UUID | None = None,
    rather: UUID | None = None,
    tell: bool = False,
) -> BrowserSession:
    """A session for whoever has this address and this password; raises SignInRefused.

    It lives on for as long as it is used, and ends some time after. What is kept of the secret is
    its hash.
    """
    person, rehashed = await prove_password(
        pool,
        hashing,
        email=email,
        password=password,
        tenant_id=tenant_id,
        rather=rather,
        client=client,
    )
    secret = cookie_secret(secrets.token_bytes(KEY_BYTES))
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        if rehashed:
            await people.change_password_hash(connection, person.person_id, rehashed)
        await people.open_session(
            connection,
            session_id=uuid7(),
            tenant_id=person.tenant_id,
            person_id=person.person_id,
            expires_at=now + lives,
            client=client,
            cookie_hash=secret_hash(secret),
        )
        await note_place(connection, person.person_id, client, now, tell=tell)
        await audit_log.note(connection, signed_in(person, client, now, "session.opened"))
    return BrowserSession(person, secret)

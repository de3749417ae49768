"""Let somebody in for the first time."""

from datetime import UTC, datetime

import asyncpg
from uuid_utils.compat import uuid7

from services.api.actions.hashing import Hashing
from services.api.actions.sessions import Issuer, SignedIn, issue, signed_in
from services.api.actions.signing_in import note_place
from services.api.domain.letters import Letter
from services.api.domain.refusals import AddressTaken
from services.api.domain.tokens import Claims
from services.api.store import audit_log, people, quotas, system_mail
from services.api.store.people import Client, Person
from services.api.store.quotas import Quotas
from shared.db import Pool


async def register_person(
    pool: Pool,
    hashing: Hashing,
    issuer: Issuer,
    *,
    email: str,
    name: str,
    password: str,
    client: Client,
    verify: bool = False,
    allowed: Quotas | None = None,
) -> SignedIn:
    """A new tenant whose owner is this person, signed in; raises AddressTaken."""
    password_hash = await hashing.hashed(password)
    now = datetime.now(UTC)
    person = Person(
        person_id=uuid7(),
        email=email,
        name=name,
        password_hash=password_hash,
        tenant_id=uuid7(),
        tenant_name=name or email,
    )
    claims = Claims(tenant_id=person.tenant_id, person_id=person.person_id, session_id=uuid7())
    try:
        async with pool.acquire() as connection, connection.transaction():
            await people.add_tenant(connection, person.tenant_id, person.tenant_name)
            if allowed is not None:
                await quotas.set_quotas(connection, person.tenant_id, allowed)
            await people.add_person(
                connection,
                tenant_id=person.tenant_id,
                person_id=person.person_id,
                email=person.email,
                name=person.name,
                password_hash=password_hash,
                role="owner",
            )
            if verify:
                await system_mail.ask(connection, Letter.VERIFY, person_id=person.person_id)
            await people.open_session(
                connection,
                session_id=claims.session_id,
                tenant_id=person.tenant_id,
                person_id=person.person_id,
                expires_at=now + issuer.refresh_lives,
                client=client,
            )
            await note_place(connection, person.person_id, client, now, tell=False)
            await audit_log.note(connection, signed_in(person, client, now, "person.registered"))
            return await issue(connection, issuer, person, claims, now)
    except asyncpg.UniqueViolationError as error:
        if error.as_dict().get("constraint_name") == "person_has_one_address":
            raise AddressTaken(pointers=("/email",)) from None
        raise

"""Let somebody in who was asked to join."""

from datetime import UTC, datetime

import asyncpg
from uuid_utils.compat import uuid7

from services.api.actions.hashing import Hashing
from services.api.actions.sessions import Issuer, SignedIn, issue, signed_in
from services.api.actions.signing_in import note_place
from services.api.domain.refusals import (
    InvitationInvalid,
    PasswordWrong,
    RegistrationClosed,
)
from services.api.domain.tokens import Claims, secret_hash
from services.api.store import audit_log, members, people, system_mail
from services.api.store.people import Client
from shared.db import Pool


async def accept_invitation(
    pool: Pool,
    hashing: Hashing,
    issuer: Issuer,
    *,
    token: str,
    name: str,
    password: str,
    client: Client,
    new_people: bool,
    mailed: bool = False,
) -> SignedIn:
    """A session in the tenant, for somebody new or for somebody whom we know by their password.

    Whoever holds the link is taken to be who it was sent to; who is known already proves it.
    Raises InvitationInvalid, PasswordWrong, RegistrationClosed.
    """
    token_hash = secret_hash(token)
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        asked = await members.asked_by(connection, token_hash, now)
        known = asked and await people.known(connection, asked.email)
    if asked is None:
        raise InvitationInvalid
    if known is None:
        if not new_people:
            raise RegistrationClosed
        hashed = await hashing.hashed(password)
        person_id = uuid7()
    else:
        if not await hashing.matches(known.password_hash, password):
            raise PasswordWrong(pointers=("/password",))
        hashed, person_id = known.password_hash, known.person_id
    claims = Claims(tenant_id=asked.tenant_id, person_id=person_id, session_id=uuid7())
    try:
        async with pool.acquire() as connection, connection.transaction():
            # Once more, now held: two may have followed the same link.
            if await members.asked_by(connection, token_hash, now) is None:
                raise InvitationInvalid
            if known is None:
                await people.add_person(
                    connection,
                    tenant_id=asked.tenant_id,
                    person_id=person_id,
                    email=asked.email,
                    name=name,
                    password_hash=hashed,
                    role=asked.role,
                )
            else:
                await members.add(connection, asked.tenant_id, person_id, asked.role, now)
            await members.withdraw(connection, asked.tenant_id, asked.invitation_id)
            await people.open_session(
                connection,
                session_id=claims.session_id,
                tenant_id=asked.tenant_id,
                person_id=person_id,
                expires_at=now + issuer.refresh_lives,
                client=client,
            )
            person = await people.member(connection, asked.tenant_id, person_id)
            assert person is not None, "joined above"
            await note_place(connection, person_id, client, now, tell=False)
            if mailed:  # the link was nowhere but in a message to this address
                await system_mail.verified(connection, person_id, now)
            await audit_log.note(connection, signed_in(person, client, now, "member.joined"))
            return await issue(connection, issuer, person, claims, now)
    except asyncpg.UniqueViolationError:
        # Somebody registered with this address in between: they are known now.
        raise InvitationInvalid from None

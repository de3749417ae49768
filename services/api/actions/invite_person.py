"""Ask somebody to join a tenant."""

import secrets
from datetime import UTC, datetime, timedelta

from msgspec import structs
from uuid_utils.compat import uuid7

from services.api.actions.identify_caller import Who
from services.api.domain.letters import Letter
from services.api.domain.tokens import KEY_BYTES, invitation_token, secret_hash
from services.api.store import audit_log, members, system_mail
from services.api.store.members import Invitation
from shared.db import Pool


async def invite_person(
    pool: Pool, who: Who, *, email: str, role: str, lives: timedelta, by_mail: bool = False
) -> tuple[Invitation, str]:
    """The invitation, and the token that its link carries: shown this once."""
    token = invitation_token(secrets.token_bytes(KEY_BYTES))
    now = datetime.now(UTC)
    invitation = Invitation(
        invitation_id=uuid7(),
        email=email,
        role=role,
        invited_by=who.person_id,
        created_at=now,
        expires_at=now + lives,
    )
    async with pool.acquire() as connection, connection.transaction():
        kept = await members.invite(connection, who.tenant_id, invitation, secret_hash(token))
        if by_mail:
            await system_mail.ask(
                connection, Letter.INVITE, tenant_id=who.tenant_id, invitation_id=kept
            )
        asked = who.did("member.invited", subject=email, details={"role": role})
        await audit_log.note(connection, asked)
    return structs.replace(invitation, invitation_id=kept), token

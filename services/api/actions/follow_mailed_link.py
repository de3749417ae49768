"""What the links do that Postbus sends: verify an address, choose a new password."""

from datetime import UTC, datetime
from uuid import UUID

from services.api.actions.hashing import Hashing
from services.api.domain.letters import Letter
from services.api.domain.refusals import LinkInvalid
from services.api.domain.tokens import secret_hash
from services.api.store import audit_log, people, system_mail
from services.api.store.audit_log import AuditEntry
from shared.db import Pool


async def ask_reset(pool: Pool, email: str) -> None:
    """Have a link sent to whoever has this address. Whether somebody has is not said."""
    async with pool.acquire() as connection, connection.transaction():
        known = await people.known(connection, email)
        if known is not None:
            await system_mail.ask(connection, Letter.RESET, person_id=known.person_id)


async def reset_password(
    pool: Pool, hashing: Hashing, *, token: str, password: str, end_tokens: bool, address: str
) -> None:
    """A new password for whom the link was sent to, and every session of theirs ends.

    So do their API tokens, if that is wanted. Raises LinkInvalid.
    """
    now = datetime.now(UTC)
    kept = secret_hash(token)
    async with pool.acquire() as connection:
        if await system_mail.whose(connection, kept, Letter.RESET, now) is None:
            raise LinkInvalid
    hashed = await hashing.hashed(password)
    async with pool.acquire() as connection, connection.transaction():
        person_id = await system_mail.whose(connection, kept, Letter.RESET, now)
        if person_id is None:
            raise LinkInvalid
        await system_mail.use_up(connection, person_id, Letter.RESET)
        await people.change_password_hash(connection, person_id, hashed)
        await people.revoke_sessions(connection, person_id, now)
        ended = await people.remove_tokens(connection, person_id) if end_tokens else 0
        await system_mail.verified(connection, person_id, now)
        for belonging in await people.tenants_of(connection, person_id):
            await audit_log.note(
                connection,
                AuditEntry(
                    tenant_id=belonging.tenant_id,
                    occurred_at=now,
                    action="password.reset",
                    person_id=person_id,
                    address=address,
                    details={"tokens_ended": ended},
                ),
            )


async def ask_verification(pool: Pool, person_id: UUID) -> None:
    """Have the link sent again to somebody who has not followed one."""
    async with pool.acquire() as connection, connection.transaction():
        if not await people.is_verified(connection, person_id):
            await system_mail.ask(connection, Letter.VERIFY, person_id=person_id)


async def verify_address(pool: Pool, token: str) -> None:
    """Whoever followed the link reads what is sent there; raises LinkInvalid."""
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        person_id = await system_mail.whose(connection, secret_hash(token), Letter.VERIFY, now)
        if person_id is None:
            raise LinkInvalid
        await system_mail.use_up(connection, person_id, Letter.VERIFY)
        await system_mail.verified(connection, person_id, now)

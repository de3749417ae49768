"""End a session, or all of them."""

from datetime import UTC, datetime

from services.api.actions.identify_caller import Who
from services.api.store import audit_log, people
from shared.db import Pool


async def sign_out(pool: Pool, who: Who) -> None:
    """None of the tokens of this session is good any more, nor its cookie."""
    if who.session_id is None:
        return
    async with pool.acquire() as connection, connection.transaction():
        await people.revoke_session(connection, who.tenant_id, who.session_id, datetime.now(UTC))
        await audit_log.note(connection, who.did("session.ended"))


async def sign_out_everywhere(pool: Pool, who: Who) -> None:
    """Nor that of any other session of this person."""
    async with pool.acquire() as connection, connection.transaction():
        count = await people.revoke_sessions(connection, who.person_id, datetime.now(UTC))
        await audit_log.note(connection, who.did("sessions.ended", details={"count": count}))

"""Give somebody another password."""

from datetime import UTC, datetime

from services.api.actions.hashing import Hashing
from services.api.actions.identify_caller import Who
from services.api.domain.refusals import PasswordWrong, TokenRefused
from services.api.store import audit_log, people
from shared.db import Pool


async def prove_own_password(
    pool: Pool, hashing: Hashing, who: Who, password: str, pointer: str
) -> None:
    """That it is the person who asks, and not an open session of theirs; raises PasswordWrong."""
    async with pool.acquire() as connection:
        person = await people.member(connection, who.tenant_id, who.person_id)
    if person is None:
        raise TokenRefused
    if not await hashing.matches(person.password_hash, password):
        raise PasswordWrong(pointers=(pointer,))


async def change_password(
    pool: Pool,
    hashing: Hashing,
    who: Who,
    *,
    current: str,
    new: str,
    end_tokens: bool,
) -> None:
    """The new password is the only one, and every other session of this person is over.

    API tokens go on unless they are to end, too: programs use them that nobody has at hand.

    Raises PasswordWrong, and says so also to whoever found an open session: they cannot keep it.
    """
    await prove_own_password(pool, hashing, who, current, "/current_password")
    hashed = await hashing.hashed(new)
    async with pool.acquire() as connection, connection.transaction():
        await people.change_password_hash(connection, who.person_id, hashed)
        await people.revoke_sessions(
            connection, who.person_id, datetime.now(UTC), but=who.session_id
        )
        ended = await people.remove_tokens(connection, who.person_id) if end_tokens else 0
        await audit_log.note(
            connection, who.did("password.changed", details={"tokens_ended": ended})
        )

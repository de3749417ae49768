"""Requests that may be repeated: carried out once, and answered again from what is kept."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.api.domain.refusals import KeyInUse, KeyReused
from services.api.store import idempotency
from services.api.store.idempotency import Answer, Claim
from shared.contracts.envelope import Caller
from shared.db import Pool, putting_off, tenant_transaction

KEPT = timedelta(hours=24)
_LOST = timedelta(minutes=5)  # a gateway that died while it worked: longer than any request takes
_AT_A_TIME = 1000


async def claim_key(
    pool: Pool, caller: Caller, person_id: UUID, key: str, digest: bytes
) -> Claim | Answer:
    """The right to carry out a request, or what it was answered before; KeyInUse, KeyReused."""
    now = datetime.now(UTC)
    claim = Claim(
        tenant_id=caller.tenant_id,
        person_id=person_id,
        key=key,
        request_digest=digest,
        claimed_at=now,
    )
    async with tenant_transaction(pool, caller) as connection:
        earlier = await idempotency.claim(
            connection, claim, expired_before=now - KEPT, lost_before=now - _LOST
        )
    if earlier is None:
        return claim
    if earlier.request_digest != digest:
        raise KeyReused
    if earlier.answer is None:
        raise KeyInUse(retry_after_seconds=1)
    return earlier.answer


async def keep_answer(pool: Pool, caller: Caller, claim: Claim, answer: Answer) -> None:
    """Remember an answer. Without the database the request counts as under way for a while."""
    with putting_off("keeping an answer"):
        async with tenant_transaction(pool, caller) as connection:
            await idempotency.keep(connection, claim, answer)


async def let_go_of_key(pool: Pool, caller: Caller, claim: Claim) -> None:
    """Let a request that was refused be made again, also otherwise."""
    with putting_off("letting go of a key"):
        async with tenant_transaction(pool, caller) as connection:
            await idempotency.let_go(connection, claim)


async def forget_keys(pool: Pool) -> None:
    """Forget what was asked more than a day ago."""
    before = datetime.now(UTC) - KEPT
    while True:
        async with pool.acquire() as connection, connection.transaction():
            if await idempotency.forget(connection, before, _AT_A_TIME) < _AT_A_TIME:
                return

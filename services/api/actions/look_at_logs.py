"""See which logs have grown, whether or not anybody was told."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.api.store import log
from shared.db import Pool


async def look_at_logs(
    pool: Pool, tenant_ids: Sequence[UUID], known: Mapping[UUID, int]
) -> tuple[dict[UUID, int], list[UUID]]:
    """How far each log goes now, and which are longer than was known."""
    async with pool.acquire() as connection:
        now = await log.last_numbers(connection, tenant_ids)
    return now, [tenant_id for tenant_id, seq in now.items() if known.get(tenant_id) != seq]

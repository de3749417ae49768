"""How much mail a search does not see to its end."""

from services.indexer.store.search import cut_texts
from shared.contracts.envelope import Caller
from shared.db import Pool, TenantReader

_MOST = 1_000  # nobody needs to know how many more there are


async def count_cut_texts(caller: Caller, pool: Pool) -> int:
    """How many of the caller's messages are so long that only their beginning is searched."""
    return await cut_texts(TenantReader(pool, caller), _MOST)

"""An operator wants every mailbox compared with its server, and to see what came of it."""

import asyncio
from datetime import datetime
from uuid import UUID

from services.sync.store import audits
from services.sync.store.audits import Verdict
from shared.db import Connection, Pool, in_transaction

_LOOKS_SECONDS = 0.5  # those who prove are other processes


async def audit_now(
    pool: Pool, account_id: UUID | None, seconds: float
) -> tuple[list[Verdict], datetime]:
    """Ask for a proof of each mailbox of an account, or of all, and wait so long for them.

    Returns what is known of each mailbox then, and since when a proof is of this asking. Whoever
    keeps an account sees to it: one that is paused, or whose server is away, has older ones.
    """

    async def ask(connection: Connection) -> datetime:
        return await audits.ask_now(connection, account_id)

    asked_at = await in_transaction(pool, ask)
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        async with pool.acquire() as connection:
            found = await audits.verdicts(connection, account_id)
        waited_for = any(not one.paused and not one.is_since(asked_at) for one in found)
        if not waited_for or asyncio.get_running_loop().time() >= deadline:
            return found, asked_at
        await asyncio.sleep(_LOOKS_SECONDS)

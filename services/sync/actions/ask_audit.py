"""A listener found a difference: a mailbox is to be compared with its server again."""

from services.sync.store import audits
from shared.contracts.audit import AuditMailbox
from shared.db import Pool


async def ask_audit(command: AuditMailbox, pool: Pool) -> None:
    """Let the mailbox be due; who keeps its account sees to it."""
    async with pool.acquire() as connection:
        await audits.ask(connection, command)

"""The database came out of a backup: its history goes on where no other history has been."""

from datetime import datetime

from services.sync.store import accounts, audits
from shared.db import Connection


async def settle_restore(connection: Connection, restored_at: datetime) -> None:
    """Let revisions go on above every one that was told since, and each mailbox be proven anew.

    Revisions that were told after the backup was made are known to nobody here, but to whoever
    followed the log or a webhook. They counted changes: microseconds of the clock, which pass
    faster than any mailbox changes, are beyond them, and nothing has to be kept outside of the
    backup for it.
    """
    await accounts.raise_clocks(connection, int(restored_at.timestamp() * 1_000_000))
    await audits.doubt_all(connection)

"""Sent messages are to be in Sent: remembered as rows, because a mail server may be away."""

from collections.abc import Sequence

from services.sync.store import sent_copies
from shared.contracts.submission import FileSentCopy
from shared.db import Connection, Pool, in_transaction


async def file_sent_copies_later(commands: Sequence[FileSentCopy], pool: Pool) -> None:
    """Keep the duty; asked twice, it is one."""

    async def work(connection: Connection) -> None:
        await sent_copies.ask(connection, commands)

    await in_transaction(pool, work)

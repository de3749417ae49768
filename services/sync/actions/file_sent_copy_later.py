"""A sent message is to be in Sent: remembered as a row, because a mail server may be away."""

from services.sync.store import sent_copies
from shared.contracts.submission import FileSentCopy
from shared.db import Connection, Pool, in_transaction


async def file_sent_copy_later(command: FileSentCopy, pool: Pool) -> None:
    """Keep the duty; asked twice, it is one."""

    async def work(connection: Connection) -> None:
        await sent_copies.ask(connection, command)

    await in_transaction(pool, work)

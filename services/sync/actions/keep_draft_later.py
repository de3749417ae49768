"""A draft is to have a copy on its server: remembered as a row, because the server may be away."""

from services.sync.store import draft_copies
from shared.contracts.draft import KeepDraft
from shared.db import Connection, Pool, in_transaction


async def keep_draft_later(command: KeepDraft, pool: Pool) -> None:
    """Keep the duty; what is older than it changes nothing.

    Each version's copy has a Message-ID of its own, by which it is found and told from others.
    """
    message_id: str | None = None
    if command.message is not None:
        domain = command.message.sender.email.rpartition("@")[2]
        if not domain.isascii():
            domain = "invalid"
        message_id = f"{command.draft_id}.{command.version}@{domain}"

    async def work(connection: Connection) -> None:
        await draft_copies.ask(connection, command, message_id)

    await in_transaction(pool, work)

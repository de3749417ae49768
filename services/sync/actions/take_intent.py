"""Take what a person wants done on a server, to be carried out in its turn."""

from services.sync.actions.settling import settle
from services.sync.domain.intents import has_copied, is_final
from services.sync.store import intents
from shared.contracts.intent import CarryIntent, Outcome
from shared.db import Connection, Pool, in_transaction


async def take_intent(command: CarryIntent, pool: Pool) -> bool:
    """Remember it; False when there is nothing to carry out.

    What undoes an intent that was not begun cancels it, and there is nothing more to do. An intent
    whose only purpose that was, and that comes too late, is refused.
    """

    async def work(connection: Connection) -> bool:
        if not await intents.keep(connection, command):
            return False
        if command.undoes is None:
            return True
        undone = await intents.hold_waiting(connection, command.account_id, command.undoes)
        if undone is not None:
            await settle(connection, undone, Outcome.CANCELED, reason="undone")
            await settle(connection, command, Outcome.DONE)
            return False
        if command.steps or command.mailbox is not None:
            return True
        begun = await intents.command(connection, command.account_id, command.undoes)
        if begun is not None and has_copied(begun):
            return True  # its copies go
        first = begun and begun.undoes
        brought_back = first and await intents.copies(connection, command.account_id, first)
        # Nothing takes it back: it made no difference, or it is final, or took copies away.
        if begun is None or is_final(begun) or brought_back:
            await settle(connection, command, Outcome.REFUSED, reason="already_carried_out")
        else:
            await settle(connection, command, Outcome.DONE)
        return False

    return await in_transaction(pool, work)

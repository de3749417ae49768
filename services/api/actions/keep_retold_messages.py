"""Take in messages that are told again. It is never news: the log does not hear of it."""

from collections.abc import Sequence

from services.api.actions.showing import overlay
from services.api.domain.told import one_each, tally
from services.api.store import accounts, labels, mailboxes, messages, retellings
from shared.contracts.mail import MessagesRetold
from shared.db import Connection, Pool, in_transaction


async def keep_retold_messages(pool: Pool, pages: Sequence[MessagesRetold]) -> bool:
    """Let these messages be as they are retold; True when with them a retelling is complete.

    That a page came is noted in the transaction of its rows.
    """

    async def work(connection: Connection) -> bool:
        living = await accounts.hold_living(
            connection, [(page.tenant_id, page.account_id) for page in pages]
        )
        kept = [page for page in pages if (page.tenant_id, page.account_id) in living]
        if told := one_each(kept):
            transitions = await overlay(connection, await messages.keep(connection, told))
            await mailboxes.count(connection, tally(transitions.values()))
            await labels.follow(connection, transitions.values())
        complete = False
        for page in sorted(kept, key=lambda page: (page.account_id, page.generation, page.page)):
            complete |= await retellings.note_page(
                connection,
                tenant_id=page.tenant_id,
                account_id=page.account_id,
                generation=page.generation,
                page=page.page,
                as_of_revision=page.as_of_revision,
            )
        return complete

    return await in_transaction(pool, work)

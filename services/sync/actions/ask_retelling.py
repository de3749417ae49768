"""A listener wants to be told everything again."""

from uuid import UUID

from services.sync.actions.telling_doing import tell_doing
from services.sync.domain.pages import change_pages
from services.sync.store import accounts, mailboxes, retellings
from shared.bus import tell
from shared.contracts.account import RetellAccount
from shared.contracts.mail import MailboxesSynced
from shared.db import Connection, Pool, in_transaction


async def ask_retelling(command: RetellAccount, pool: Pool) -> int:
    """Begin to tell an account, or all of them, again; how many began.

    What is small is told at once, as it is now; messages follow page by page.
    """

    async def work(connection: Connection) -> int:
        begun = await retellings.ask(connection, command)
        for account_id, tenant_id in await accounts.some(connection, command.account_id):
            await _tell_small(connection, account_id, tenant_id)
        return begun

    return await in_transaction(pool, work)


async def _tell_small(connection: Connection, account_id: UUID, tenant_id: UUID) -> None:
    revision = await accounts.next_revision(connection, account_id)
    doing = await accounts.doing(connection, account_id)
    if doing is not None:
        await tell_doing(connection, account_id, tenant_id, doing, revision)
    there = await mailboxes.mailboxes(connection, account_id)
    told = [one.told(gone=False) for one in there]
    told += [one.told(gone=True) for one in await mailboxes.gone(connection, account_id)]
    for page in change_pages(told):
        await tell(
            connection,
            MailboxesSynced(
                tenant_id=tenant_id, account_id=account_id, mailboxes=page, retold=True
            ),
        )

"""Messages of ours on their way into a mailbox."""

from uuid import UUID

from services.sync.store import mailboxes
from services.sync.store.mailboxes import Mailbox
from shared.contracts.mail import MailboxRole
from shared.db import Pool


class NotFiled(Exception):
    """The copy could not be filed now."""


async def mailbox_for(role: MailboxRole, account_id: UUID, pool: Pool) -> Mailbox:
    """The account's mailbox for this; raises NotFiled."""
    async with pool.acquire() as connection:
        known = await mailboxes.mailboxes(connection, account_id)
    for mailbox in known:
        if mailbox.role is role and mailbox.selectable:
            return mailbox
    raise NotFiled(f"The account has no mailbox for {role.value}.")

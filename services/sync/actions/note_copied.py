"""A mailbox is whole: everything the server listed is here, or known why it is not."""

from services.sync.domain.covered import Covered, Span
from services.sync.store import accounts, leases, mailboxes, places
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.bus import tell
from shared.contracts.mail import MailboxRenumbered
from shared.db import Connection, Pool, in_transaction


async def note_copied(
    lease: Lease, mailbox: Mailbox, top: int, status: str | None, pool: Pool
) -> None:
    """Remember that nothing is owed up to this UID, and what STATUS said then."""

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        if top:
            await mailboxes.cover(connection, mailbox.mailbox_id, Covered((Span(1, top),)))
        await mailboxes.put_copied(connection, mailbox.mailbox_id)
        await mailboxes.put_compared(connection, mailbox.mailbox_id, status)
        if mailbox.renumbered_at is not None:
            matched, fetched, adrift = await places.renumbered(
                connection, mailbox.mailbox_id, mailbox.renumbered_at
            )
            await mailboxes.put_matched(connection, mailbox.mailbox_id)
            await tell(
                connection,
                MailboxRenumbered(
                    tenant_id=lease.tenant_id,
                    account_id=lease.account_id,
                    mailbox_id=mailbox.mailbox_id,
                    revision=await accounts.next_revision(connection, lease.account_id),
                    matched=matched,
                    fetched=fetched,
                    vanished=adrift,
                ),
            )

    await in_transaction(pool, work)

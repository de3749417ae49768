"""A mailbox is whole: everything the server listed is here, or known why it is not.

Of one that was renumbered, who was not known again is in it no longer. Whether they are elsewhere
or gone, settle_lost finds out.
"""

from datetime import datetime

from services.sync.actions.comparing import tell_unplaced
from services.sync.domain.covered import Covered, Span
from services.sync.domain.reunion import PATIENCE
from services.sync.store import accounts, leases, lost, mailboxes, places
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.bus import tell
from shared.contracts.mail import MailboxRenumbered
from shared.db import Connection, Pool, in_transaction


async def note_copied(
    lease: Lease, mailbox: Mailbox, top: int, status: str | None, looked_at: datetime, pool: Pool
) -> None:
    """Remember that nothing is owed up to this UID, and what STATUS said then."""

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        if top:
            await mailboxes.cover(connection, mailbox.mailbox_id, Covered((Span(1, top),)))
        await mailboxes.put_copied(connection, mailbox.mailbox_id)
        await mailboxes.put_compared(connection, mailbox.mailbox_id, status, looked_at)
        if mailbox.renumbered_at is None:
            return
        matched, fetched = await places.renumbered(
            connection, mailbox.mailbox_id, mailbox.renumbered_at
        )
        await mailboxes.put_matched(connection, mailbox.mailbox_id)
        revision = await accounts.next_revision(connection, lease.account_id)
        unmatched = await lost.unplace_unmatched(connection, mailbox.mailbox_id, revision, PATIENCE)
        await tell_unplaced(connection, lease, unmatched, revision)
        await tell(
            connection,
            MailboxRenumbered(
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                mailbox_id=mailbox.mailbox_id,
                revision=revision,
                matched=matched,
                fetched=fetched,
                vanished=len(unmatched),
            ),
        )

    await in_transaction(pool, work)

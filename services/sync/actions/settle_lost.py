"""Messages that were expunged and turned up nowhere else are gone."""

from datetime import datetime

from services.sync.domain.pages import change_pages
from services.sync.store import accounts, leases, messages
from services.sync.store.leases import Lease
from shared.bus import tell
from shared.contracts.mail import MessagesVanished, VanishedMessage
from shared.db import Connection, Pool, in_transaction


async def settle_lost(lease: Lease, round_began: datetime, pool: Pool) -> int:
    """Bury what had no place when a round over all mailboxes began; how many."""

    async def work(connection: Connection) -> int:
        await leases.hold(connection, lease)
        lost = await messages.lost_since(connection, lease.account_id, round_began)
        if not lost:
            return 0
        revision = await accounts.next_revision(connection, lease.account_id)
        await messages.vanish(connection, lost, revision)
        for page in change_pages(lost):
            await tell(
                connection,
                MessagesVanished(
                    tenant_id=lease.tenant_id,
                    account_id=lease.account_id,
                    messages=tuple(
                        VanishedMessage(message_id=message_id, revision=revision)
                        for message_id in page
                    ),
                ),
            )
        return len(lost)

    settled = 0
    while count := await in_transaction(pool, work):
        settled += count
    return settled

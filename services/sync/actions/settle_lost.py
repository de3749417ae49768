"""What became of messages that lost their place: they turned up elsewhere, or they are gone.

Most are known again on arrival (see keeping.py). A move that was seen at its end first was told as
a new message: then the old one takes the place of that copy, and the copy's id vanishes. However a
message lost its place (expunged, its mailbox deleted, closed or renumbered), it is asked here.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.sync.actions.comparing import changed, tell_changes, tell_vanished
from services.sync.store import accounts, leases, messages, places
from services.sync.store.leases import Lease
from services.sync.store.places import Place, Twin
from shared.contracts.mail import ChangeReason
from shared.db import Connection, Pool, in_transaction


async def settle_lost(
    lease: Lease, round_began: datetime, copies_since: datetime, pool: Pool
) -> int:
    """Settle what had no place when a round over all mailboxes began; how many.

    A copy that came before `copies_since` is one that somebody made, and keeps its id.
    """

    async def work(connection: Connection) -> int:
        await leases.hold(connection, lease)
        lost = await places.lost_since(connection, lease.account_id, round_began)
        if not lost:
            return 0
        revision = await accounts.next_revision(connection, lease.account_id)
        twins = await places.twins_since(connection, lease.account_id, lost, copies_since)
        copies = [twin.message_id for twin in twins.values()]
        gone = [message_id for message_id in lost if message_id not in twins]
        await messages.vanish(connection, copies + gone, revision)
        await _take_places(connection, twins, revision)
        await tell_vanished(connection, lease, copies + gone, revision)
        await tell_changes(
            connection,
            lease,
            [
                changed(
                    message_id,
                    revision,
                    twin.mailbox_id,
                    twin.keywords,
                    twin.labels,
                    twin.thread_id,
                    ChangeReason.MOVED,
                )
                for message_id, twin in twins.items()
            ],
        )
        return len(lost)

    settled = 0
    while count := await in_transaction(pool, work):
        settled += count
    return settled


async def _take_places(connection: Connection, twins: Mapping[UUID, Twin], revision: int) -> None:
    for message_id, twin in twins.items():
        await places.place(
            connection,
            twin.mailbox_id,
            revision,
            [
                Place(
                    message_id=message_id,
                    uid=twin.uid,
                    keywords=twin.keywords,
                    labels=twin.labels,
                )
            ],
        )

"""What became of messages that lost their place: they turned up elsewhere, or they are gone.

Most are known again on arrival (see keeping.py). A move that was seen at its end first was told as
a new message: then the old one takes the place of that copy, and the copy's id vanishes. However a
message lost its place (expunged, its mailbox deleted, closed or renumbered), it is asked here.
"""

import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.sync.actions.comparing import changed, tell_changes, tell_vanished
from services.sync.domain.reunion import Sighting, moved
from services.sync.store import accounts, leases, lost, messages, places
from services.sync.store.leases import Lease
from services.sync.store.lost import Lost, Twin
from services.sync.store.places import Place
from shared.contracts.mail import ChangeReason
from shared.db import Connection, Pool, in_transaction

_AT_ONCE = 500
_FIRST: UUID | None = UUID(int=0)


async def settle_lost(lease: Lease, round_began: datetime, patience: timedelta, pool: Pool) -> bool:
    """A round over all mailboxes went through: settle what had no place when it began.

    Whoever lost it less than `patience` before then may still turn up. False when there was nothing
    to settle.
    """

    async def work(connection: Connection, after: UUID) -> tuple[bool, UUID | None]:
        await leases.hold(connection, lease)
        page = await lost.lost_since(
            connection, lease.account_id, round_began - patience, after, _AT_ONCE
        )
        if not page:
            await accounts.put_round(connection, lease.account_id, round_began)
            return False, None
        return await _settle(connection, lease, page), page[-1].message_id

    settled, after = False, _FIRST
    while after is not None:
        some, after = await in_transaction(pool, functools.partial(work, after=after))
        settled |= some
    return settled


async def _settle(connection: Connection, lease: Lease, page: Sequence[Lost]) -> bool:
    last_uids = {one.message_id: one.last_uid for one in page}
    told = await lost.twins(connection, lease.account_id, list(last_uids))
    known = {twin.message_id: twin for _, twin in told}
    went = moved(
        Sighting(
            message_id=message_id,
            last_uid=last_uids[message_id],
            twin_id=twin.message_id,
            uid=twin.uid,
            kept_at=twin.kept_at,
        )
        for message_id, twin in told
    )
    gone = [one.message_id for one in page if one.message_id not in went and not one.sought]
    if not went and not gone:
        return False
    revision = await accounts.next_revision(connection, lease.account_id)
    vanished = [*went.values(), *gone]
    await messages.vanish(connection, vanished, revision)
    await tell_vanished(connection, lease, vanished, revision)
    await _take_places(
        connection,
        lease,
        [(one, known[went[one.message_id]]) for one in page if one.message_id in went],
        revision,
    )
    return True


async def _take_places(
    connection: Connection, lease: Lease, went: Sequence[tuple[Lost, Twin]], revision: int
) -> None:
    """Let each of these be where it was told as new."""
    for one, twin in went:
        place = Place(
            message_id=one.message_id, uid=twin.uid, keywords=twin.keywords, labels=twin.labels
        )
        await places.place(connection, twin.mailbox_id, revision, [place])
    await tell_changes(
        connection,
        lease,
        [
            changed(
                one.message_id,
                revision,
                twin.mailbox_id,
                twin.keywords,
                twin.labels,
                one.thread_id,
                ChangeReason.MOVED,
            )
            for one, twin in went
        ],
    )

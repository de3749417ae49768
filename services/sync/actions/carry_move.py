"""Move or copy messages on the server; what moved keeps its id where the server says where to."""

from collections.abc import Sequence

from msgspec import Struct

from services.sync.actions.carrying import remove
from services.sync.actions.comparing import changed, tell_changes
from services.sync.domain.covered import Covered
from services.sync.imap.session import Session
from services.sync.imap.transfer import Landed
from services.sync.store import accounts, leases, mailboxes, places
from services.sync.store.intents import Where
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.places import Place
from shared.contracts.mail import ChangeReason
from shared.db import Connection, Pool, in_transaction


class Moved(Struct, frozen=True, kw_only=True):
    """What became of a wish to move messages."""

    placed: frozenset[int]  # old UIDs of those whose new place is known
    reason: str | None = None


async def carry_move(
    lease: Lease,
    target: Mailbox,
    rows: Sequence[Where],
    landed: Landed,
    session: Session,
    pool: Pool,
) -> Moved:
    """Move these messages out of the open mailbox. Raises Refused.

    Without MOVE (RFC 6851) they are copied, marked \\Deleted and removed by UID (RFC 4315);
    `landed` are those that were copied before.
    """
    by_uid = {row.uid: row for row in rows if row.uid is not None}
    uids = sorted(by_uid)
    reason: str | None = None
    if can_move(session):
        landed = await session.move(uids, target.raw_name)
    else:
        if left := sorted(set(uids) - landed.uids.keys()):
            landed = landed.and_then(await session.copy(left, target.raw_name))
        # What the server did not say it copied may be gone; where it says nothing, all were.
        reason = await remove(session, sorted(set(uids) & landed.uids.keys()) or uids)
    known = landed.uids if landed.uidvalidity == target.uidvalidity is not None else {}
    arrived = {new: by_uid[old] for old, new in known.items() if old in by_uid}
    if arrived:
        await _put(lease, target, arrived, pool)
    return Moved(placed=frozenset(old for old in known if old in by_uid), reason=reason)


async def carry_copy(target: Mailbox, rows: Sequence[Where], session: Session) -> Landed:
    """Copy these messages of the open mailbox; the copies come as new messages do."""
    return await session.copy(sorted(row.uid for row in rows if row.uid), target.raw_name)


def can_move(session: Session) -> bool:
    """Whether the server moves messages in one."""
    return not session.capabilities.isdisjoint({"MOVE", "IMAP4REV2"})


async def _put(lease: Lease, target: Mailbox, arrived: dict[int, Where], pool: Pool) -> None:
    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        revision = await accounts.next_revision(connection, lease.account_id)
        await places.place(
            connection,
            target.mailbox_id,
            revision,
            [
                Place(message_id=row.message_id, uid=uid, keywords=row.keywords, labels=row.labels)
                for uid, row in arrived.items()
            ],
        )
        await mailboxes.cover(connection, target.mailbox_id, Covered.of_uids(arrived))
        await tell_changes(
            connection,
            lease,
            [
                changed(
                    row.message_id,
                    revision,
                    target.mailbox_id,
                    row.keywords,
                    row.labels,
                    row.thread_id,
                    ChangeReason.MOVED,
                )
                for row in arrived.values()
            ],
        )

    await in_transaction(pool, work)

"""Compare a mailbox with our copy of it: what is gone, marked differently, or still owed to us."""

from datetime import UTC, datetime
from uuid import UUID

from msgspec import Struct

from services.sync.domain.covered import EVERY_UID, Covered, Span
from services.sync.domain.pages import change_pages
from services.sync.domain.uidvalidity import Position, Resume, next_step
from services.sync.imap.session import Session
from services.sync.imap.status import StatusOf
from services.sync.store import accounts, leases, mailboxes, messages
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.messages import Twin
from shared.bus import tell
from shared.contracts.mail import (
    ChangedMessage,
    ChangeReason,
    MessagesChanged,
    MessagesVanished,
    State,
    VanishedMessage,
)
from shared.db import Connection, Pool, in_transaction

_RECENT = "\\Recent"  # a server's own, of a session (RFC 3501 §2.3.2): no mark of the message


class Looked(Struct, frozen=True, kw_only=True):
    """What a look at a mailbox found that we do not have yet."""

    mailbox: Mailbox  # as it is after the look
    owed: tuple[int, ...]  # UIDs to fetch, newest first
    top: int  # every UID from 1 to here was listed
    lost: bool  # some messages of ours have no place now


def status_line(counters: StatusOf | None) -> str | None:
    """A mailbox's counters as one word: when it is the same, nothing came and nothing went."""
    if counters is None:
        return None
    return f"{counters.uidvalidity}:{counters.uidnext}:{counters.messages}:{counters.highestmodseq}"


async def look_at_mailbox(
    lease: Lease, mailbox_id: UUID, status: str | None, session: Session, pool: Pool
) -> Looked:
    """Bring what we keep of a mailbox up to date; return what has to be fetched."""
    async with pool.acquire() as connection:
        mailbox = await mailboxes.mailbox(connection, mailbox_id)
        kept = await messages.placed(connection, mailbox_id)
    selected = await session.select(mailbox.raw_name, readonly=True)
    listed = {entry.uid: entry.flags - {_RECENT} for entry in await session.flags(EVERY_UID)}
    begins = not isinstance(next_step(_position(mailbox), selected.uidvalidity), Resume)
    gone = set[int]() if begins else kept.keys() - listed.keys()
    if gone:
        # Absent from one listing may be the listing's fault: believed when absent twice.
        gone -= set(await session.uids(EVERY_UID))
    top = max([(selected.uidnext or 1) - 1, *listed])

    async def work(connection: Connection) -> Looked:
        await leases.hold(connection, lease)
        if begins:
            await messages.unnumber(connection, mailbox.mailbox_id)
            await mailboxes.begin(connection, mailbox.mailbox_id, selected.uidvalidity, top + 1)
            placed = {}
        else:
            placed = kept
        changes: list[ChangedMessage] = []
        marked = [
            one
            for uid, one in placed.items()
            if uid in listed and one.keywords != listed[uid] and uid not in gone
        ]
        lost = [placed[uid] for uid in sorted(gone)]
        if marked or lost:
            revision = await accounts.next_revision(connection, lease.account_id)
            await messages.mark(
                connection, revision, [(one.message_id, listed[one.uid]) for one in marked]
            )
            await messages.unplace(connection, [one.message_id for one in lost], revision)
            twins = await messages.twins_since(
                connection,
                lease.account_id,
                [one.message_id for one in lost],
                mailbox.compared_at or datetime.now(UTC),
            )
            await _take_places(connection, lease, twins, revision)
            changes += [_moved(message_id, twin, revision) for message_id, twin in twins.items()]
            lost = [one for one in lost if one.message_id not in twins]
            changes += [
                ChangedMessage(
                    message_id=one.message_id,
                    revision=revision,
                    state=State(
                        mailbox_id=mailbox.mailbox_id,
                        keywords=listed[one.uid],
                        thread_id=one.thread_id,
                    ),
                    reasons=frozenset({ChangeReason.KEYWORDS}),
                )
                for one in marked
            ] + [
                ChangedMessage(
                    message_id=one.message_id,
                    revision=revision,
                    state=State(mailbox_id=None, keywords=one.keywords, thread_id=one.thread_id),
                    reasons=frozenset({ChangeReason.MOVED}),
                )
                for one in lost
            ]
            for page in change_pages(changes):
                await tell(
                    connection,
                    MessagesChanged(
                        tenant_id=lease.tenant_id, account_id=lease.account_id, messages=page
                    ),
                )
        await mailboxes.put_count(connection, mailbox.mailbox_id, len(listed))
        kept_now = await messages.kept_uids(connection, mailbox.mailbox_id, list(listed))
        owed = tuple(sorted(listed.keys() - kept_now, reverse=True))
        await mailboxes.put_compared(connection, mailbox.mailbox_id, None if owed else status)
        if not owed:
            if top:
                await mailboxes.cover(connection, mailbox.mailbox_id, Covered((Span(1, top),)))
            await mailboxes.put_copied(connection, mailbox.mailbox_id)
        return Looked(
            mailbox=await mailboxes.mailbox(connection, mailbox_id),
            owed=owed,
            top=top,
            lost=bool(lost),
        )

    return await in_transaction(pool, work)


async def _take_places(
    connection: Connection, lease: Lease, twins: dict[UUID, Twin], revision: int
) -> None:
    """A move seen at its end first: the message takes the place of the copy that was told."""
    if not twins:
        return
    copies = [twin.message_id for twin in twins.values()]
    await messages.vanish(connection, copies, revision)
    for message_id, twin in twins.items():
        await messages.place(
            connection, twin.mailbox_id, revision, [(message_id, twin.uid, twin.keywords)]
        )
    for page in change_pages(copies):
        await tell(
            connection,
            MessagesVanished(
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                messages=tuple(
                    VanishedMessage(message_id=copy, revision=revision) for copy in page
                ),
            ),
        )


def _moved(message_id: UUID, twin: Twin, revision: int) -> ChangedMessage:
    return ChangedMessage(
        message_id=message_id,
        revision=revision,
        state=State(mailbox_id=twin.mailbox_id, keywords=twin.keywords, thread_id=twin.thread_id),
        reasons=frozenset({ChangeReason.MOVED}),
    )


def _position(mailbox: Mailbox) -> Position | None:
    if mailbox.uidvalidity is None:
        return None
    return Position(mailbox.uidvalidity)

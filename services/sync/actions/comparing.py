"""What a comparison of a mailbox with our copy of it found, made true and told."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from services.sync.domain.pages import change_pages
from services.sync.store import accounts, lost, places
from services.sync.store.leases import Lease
from services.sync.store.lost import Unplaced
from services.sync.store.mailboxes import Mailbox
from services.sync.store.places import Marks, Placed
from shared.bus import tell
from shared.contracts.mail import (
    ChangedMessage,
    ChangeReason,
    MessagesChanged,
    MessagesVanished,
    State,
    VanishedMessage,
)
from shared.db import Connection

_RECENT = "\\Recent"  # a server's own, of a session (RFC 3501 §2.3.2): no mark of the message


class MarkedUid(Struct, frozen=True, kw_only=True):
    """How the server says a message is marked; labels only where there are labels."""

    flags: frozenset[str]
    labels: frozenset[str] | None = None


def lasting(flags: frozenset[str]) -> frozenset[str]:
    """The flags that are marks of the message."""
    return flags - {_RECENT} if _RECENT in flags else flags


def differs(ours: Placed, told: MarkedUid) -> bool:
    """Whether a message is marked otherwise than we know."""
    return lasting(told.flags) != ours.keywords or (
        told.labels is not None and told.labels != ours.labels
    )


async def note_differences(
    connection: Connection,
    lease: Lease,
    mailbox: Mailbox,
    *,
    marked: Mapping[Placed, MarkedUid],
    gone: Sequence[Placed],
) -> int:
    """Let these be marked so, and these be without a place; how many have none now.

    The lease is held by the caller.
    """
    differ = {
        one: Marks(
            message_id=one.message_id,
            keywords=lasting(told.flags),
            labels=one.labels if told.labels is None else told.labels,
        )
        for one, told in marked.items()
        if differs(one, told)
    }
    if not differ and not gone:
        return 0
    revision = await accounts.next_revision(connection, lease.account_id)
    await places.mark(connection, revision, list(differ.values()))
    await lost.unplace(connection, [one.message_id for one in gone], revision)
    await tell_changes(
        connection,
        lease,
        [
            changed(
                one.message_id,
                revision,
                mailbox.mailbox_id,
                marks.keywords,
                marks.labels,
                one.thread_id,
                ChangeReason.KEYWORDS,
            )
            for one, marks in differ.items()
        ]
        + [
            changed(
                one.message_id,
                revision,
                None,
                one.keywords,
                one.labels,
                one.thread_id,
                ChangeReason.MOVED,
            )
            for one in gone
        ],
    )
    return len(gone)


def changed(
    message_id: UUID,
    revision: int,
    mailbox_id: UUID | None,
    keywords: frozenset[str],
    labels: frozenset[str],
    thread_id: UUID,
    reason: ChangeReason,
) -> ChangedMessage:
    """A message's state as it is told."""
    return ChangedMessage(
        message_id=message_id,
        revision=revision,
        state=State(mailbox_id=mailbox_id, keywords=keywords, labels=labels, thread_id=thread_id),
        reasons=frozenset({reason}),
    )


async def tell_changes(
    connection: Connection, lease: Lease, changes: Sequence[ChangedMessage]
) -> None:
    """Tell the new states of these messages."""
    for page in change_pages(changes):
        await tell(
            connection,
            MessagesChanged(tenant_id=lease.tenant_id, account_id=lease.account_id, messages=page),
        )


async def tell_unplaced(
    connection: Connection, lease: Lease, unplaced: Sequence[Unplaced], revision: int
) -> None:
    """Tell that these messages are in no mailbox now."""
    await tell_changes(
        connection,
        lease,
        [
            changed(
                one.message_id,
                revision,
                None,
                one.keywords,
                one.labels,
                one.thread_id,
                ChangeReason.MOVED,
            )
            for one in unplaced
        ],
    )


async def tell_vanished(
    connection: Connection, lease: Lease, message_ids: Sequence[UUID], revision: int
) -> None:
    """Tell that these messages are gone for good."""
    for page in change_pages(message_ids):
        await tell(
            connection,
            MessagesVanished(
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                messages=tuple(
                    VanishedMessage(message_id=message_id, revision=revision) for message_id in page
                ),
            ),
        )

"""What came from a server, kept: old friends get their place, the others are new to us."""

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID

import msgspec
from msgspec import Struct
from uuid_utils.compat import uuid7

from services.sync.actions.comparing import changed, lasting, tell_changes
from services.sync.domain.pages import message_pages
from services.sync.domain.reunion import DRAFT, Arrival, Looks, reunite
from services.sync.domain.threading import join
from services.sync.domain.understand import Understood
from services.sync.store import accounts, messages, places, quarantine, threads
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.messages import NewMessage
from services.sync.store.places import Adrift, Place
from services.sync.store.threads import Rethreaded
from shared.bus import tell
from shared.contracts.mail import Arrival as Came
from shared.contracts.mail import (
    ChangedMessage,
    ChangeReason,
    Content,
    MessagesFilled,
    MessagesSynced,
    State,
    SyncedMessage,
)
from shared.contracts.submission import ReportReceived
from shared.db import Connection

# Told apart before it is read: hardly any message is a report.
_REPORT = b'"report":{'


class Seen(Struct, frozen=True, kw_only=True):
    """What a server says of a message beside the message itself."""

    uid: int
    flags: frozenset[str]
    email_id: str | None = None
    labels: frozenset[str] = frozenset()
    thread: str | None = None  # the server's own id of a conversation


def looks_of(seen: Seen, *, match_key: bytes | None, fingerprint: bytes | None = None) -> Looks:
    """By what a message on the server is known again."""
    return Looks(
        email_id=seen.email_id,
        match_key=match_key,
        fingerprint=fingerprint,
        draft=DRAFT in seen.flags,
    )


async def give_places(
    connection: Connection,
    lease: Lease,
    mailbox: Mailbox,
    seen: Mapping[int, Seen],
    looks: Mapping[int, Looks],
) -> set[int]:
    """Recognise messages that have no place; the UIDs of those that have one again.

    The lease is held by the caller.
    """
    adrift = await places.adrift_like(connection, lease.account_id, list(looks.values()))
    if not adrift:
        return set()
    by_id = {one.seeker.message_id: one for one in adrift}
    found = reunite(
        [Arrival(uid, one) for uid, one in looks.items()],
        [one.seeker for one in adrift],
        mailbox.mailbox_id,
    )
    if found:
        revision = await accounts.next_revision(connection, lease.account_id)
        changes = await _place(
            connection,
            mailbox,
            revision,
            {uid: (seen[uid], looks[uid], by_id[message_id]) for uid, message_id in found.items()},
        )
        await tell_changes(connection, lease, changes)
        await quarantine.forget(connection, mailbox.mailbox_id, list(found))
    return set(found)


async def _place(
    connection: Connection,
    mailbox: Mailbox,
    revision: int,
    found: Mapping[int, tuple[Seen, Looks, Adrift]],
) -> list[ChangedMessage]:
    """Give old friends their new place; what of it has to be told."""
    quiet: list[Place] = []
    loud: list[Place] = []
    changes: list[ChangedMessage] = []
    for uid, (seen, looks, friend) in found.items():
        keywords = lasting(seen.flags)
        place = Place(
            message_id=friend.seeker.message_id,
            uid=uid,
            keywords=keywords,
            labels=seen.labels,
            match_key=looks.match_key,
        )
        moved = friend.seeker.mailbox_id != mailbox.mailbox_id
        if not moved and (friend.keywords, friend.labels) == (keywords, seen.labels):
            quiet.append(place)  # renumbered, and nothing else
            continue
        loud.append(place)
        changes.append(
            changed(
                friend.seeker.message_id,
                revision,
                mailbox.mailbox_id,
                keywords,
                seen.labels,
                friend.thread_id,
                ChangeReason.MOVED if moved else ChangeReason.KEYWORDS,
            )
        )
    await places.place(connection, mailbox.mailbox_id, None, quiet)
    await places.place(connection, mailbox.mailbox_id, revision, loud)
    return changes


async def keep(
    connection: Connection,
    lease: Lease,
    mailbox: Mailbox,
    seen: Mapping[int, Seen],
    understood: Sequence[Understood],
) -> list[NewMessage]:
    """Keep what is not kept already; those that are new to us.

    The lease is held by the caller.
    """
    uids = [one.uid for one in understood]
    known = await places.kept_uids(connection, mailbox.mailbox_id, uids)
    await quarantine.forget(connection, mailbox.mailbox_id, uids)
    if await places.any_adrift(connection, lease.account_id):
        known |= await give_places(
            connection,
            lease,
            mailbox,
            seen,
            {
                one.uid: looks_of(
                    seen[one.uid], match_key=one.match_key, fingerprint=one.fingerprint
                )
                for one in understood
                if one.uid not in known
            },
        )
    fresh = [one for one in understood if one.uid not in known]
    if not fresh:
        return []
    revision = await accounts.next_revision(connection, lease.account_id)
    named = [one.named.within(seen[one.uid].thread) for one in fresh]
    generation = await threads.generation(connection, lease.account_id)
    known_threads = await threads.known(
        connection,
        lease.account_id,
        generation,
        sorted({name for one in named for name in one.names}),
    )
    joined = join(named, known_threads, new_thread=uuid7)
    await threads.register(
        connection,
        lease.tenant_id,
        lease.account_id,
        generation,
        {
            name: thread_id
            for name, thread_id in joined.names.items()
            if known_threads.get(name) != thread_id
        },
    )
    rethreaded: list[Rethreaded] = []
    if joined.merged:
        await threads.merge_names(connection, lease.account_id, generation, joined.merged)
        rethreaded = await threads.merge_messages(
            connection, lease.account_id, joined.merged, revision
        )
    new = [
        NewMessage(
            message_id=uuid7(),
            uid=one.uid,
            keywords=lasting(seen[one.uid].flags),
            labels=seen[one.uid].labels,
            thread_id=thread_id,
            conversation=seen[one.uid].thread,
            content_id=one.content_id,
            fingerprint=one.fingerprint,
            match_key=one.match_key,
            email_id=seen[one.uid].email_id,
            arrival=Came.NEW if one.uid >= (mailbox.first_uidnext or 0) else Came.BACKFILL,
            size_bytes=one.size_bytes,
            received_at=one.received_at,
            kept=one.kept,
        )
        for one, thread_id in zip(fresh, joined.threads, strict=True)
    ]
    await messages.keep(
        connection, lease.tenant_id, lease.account_id, mailbox.mailbox_id, revision, new
    )
    await _tell_new(connection, lease, mailbox, revision, fresh, new)
    await _tell_reports(connection, lease, fresh, new)
    await tell_changes(
        connection,
        lease,
        [
            changed(
                one.message_id,
                revision,
                one.mailbox_id,
                one.keywords,
                one.labels,
                one.thread_id,
                ChangeReason.THREADED,
            )
            for one in rethreaded
        ],
    )
    return new


async def _tell_new(
    connection: Connection,
    lease: Lease,
    mailbox: Mailbox,
    revision: int,
    fresh: Sequence[Understood],
    new: Sequence[NewMessage],
) -> None:
    """New to the world: live. There before we were: behind everything live."""
    told: dict[Came, list[SyncedMessage]] = {Came.NEW: [], Came.BACKFILL: []}
    sizes: dict[UUID, int] = {}
    for one, kept in zip(fresh, new, strict=True):
        told[kept.arrival].append(
            SyncedMessage(
                message_id=kept.message_id,
                revision=revision,
                arrival=kept.arrival,
                content_id=kept.content_id,
                # Encoded where it was read: written into the page as it is.
                content=cast("Content", msgspec.Raw(one.content_json)),
                state=State(
                    mailbox_id=mailbox.mailbox_id,
                    keywords=kept.keywords,
                    labels=kept.labels,
                    thread_id=kept.thread_id,
                ),
            )
        )
        sizes[kept.message_id] = len(one.content_json)
    for contract, arrival in ((MessagesSynced, Came.NEW), (MessagesFilled, Came.BACKFILL)):
        for page in message_pages(told[arrival], lambda one: sizes[one.message_id]):
            await tell(
                connection,
                contract(tenant_id=lease.tenant_id, account_id=lease.account_id, messages=page),
            )


async def _tell_reports(
    connection: Connection, lease: Lease, fresh: Sequence[Understood], new: Sequence[NewMessage]
) -> None:
    """What news report on messages sent before."""
    for one, kept in zip(fresh, new, strict=True):
        if kept.arrival is not Came.NEW or _REPORT not in one.content_json:
            continue
        report = one.content.report
        if report is not None and report.about is not None:
            await tell(
                connection,
                ReportReceived(
                    tenant_id=lease.tenant_id,
                    account_id=lease.account_id,
                    message_id=kept.message_id,
                    received_at=kept.received_at,
                    report=report,
                ),
            )

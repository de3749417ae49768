"""Fetch some of what a mailbox owes us, and keep it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from services.sync.domain.covered import Covered, Span
from services.sync.domain.kept import pack
from services.sync.domain.pages import change_pages, message_pages
from services.sync.domain.reunion import Arrival as Arriving
from services.sync.domain.reunion import Seeker, reunite
from services.sync.domain.threading import join
from services.sync.domain.understand import Understood, understand
from services.sync.domain.window import Window
from services.sync.imap.fetch import Fetched
from services.sync.imap.session import Session
from services.sync.metrics import LAG_SECONDS, MESSAGE_BYTES, MESSAGES, QUARANTINED
from services.sync.store import accounts, leases, mailboxes, messages, threads
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.messages import NewMessage, Unplaced
from shared.bus import tell
from shared.contracts.mail import (
    Arrival,
    ChangedMessage,
    ChangeReason,
    MessagesChanged,
    MessagesFilled,
    MessagesSynced,
    State,
    SyncedMessage,
)
from shared.db import Connection, Pool, in_transaction

log = structlog.get_logger()

_RECENT = "\\Recent"
_CHUNK_MESSAGES = 100
_CHUNK_BYTES = 8 * 1024 * 1024


async def pull_window(
    lease: Lease,
    mailbox: Mailbox,
    window: Window,
    session: Session,
    pool: Pool,
    *,
    largest_bytes: int,
) -> int:
    """Bring one window of the selected mailbox into our copy; return how many messages came.

    What FETCH does not return is listed again: gone, or asked for alone, or else quarantined.
    """
    refused = await _too_large(session, window.uids, largest_bytes)
    wanted = [uid for uid in window.uids if uid not in refused]
    keeper = _Chunks(lease, mailbox, pool)
    arrived = await keeper.take(session, wanted)
    missing = [uid for uid in wanted if uid not in arrived]
    cases: list[tuple[int, str, int | None]] = [
        (uid, "too_large", size) for uid, size in refused.items()
    ]
    if missing:
        still_there = set(await session.uids(window.span))
        for uid in missing:
            if uid in still_there and uid not in await keeper.take(session, [uid]):
                log.warning("message listed but not given", mailbox=str(mailbox.mailbox_id))
                cases.append((uid, "missing", None))
    await keeper.finish(window.span, cases)
    return keeper.count


async def _too_large(session: Session, uids: Sequence[int], largest: int) -> dict[int, int]:
    sizes = await session.sizes(uids)
    return {uid: size for uid, size in sizes.items() if size > largest}


class _Chunks:
    """Gathers what arrives and keeps it some at a time, so that memory stays small."""

    def __init__(self, lease: Lease, mailbox: Mailbox, pool: Pool) -> None:
        self._lease = lease
        self._mailbox = mailbox
        self._pool = pool
        self._waiting: list[Fetched] = []
        self._waiting_bytes = 0
        self.count = 0

    async def take(self, session: Session, uids: Sequence[int]) -> set[int]:
        """Fetch these; which of them came."""
        arrived: set[int] = set()
        async with aclosing(session.fetch(uids)) as fetching:
            async for fetched in fetching:
                if fetched.uid in arrived:
                    continue
                arrived.add(fetched.uid)
                self._waiting.append(fetched)
                self._waiting_bytes += len(fetched.raw)
                if len(self._waiting) >= _CHUNK_MESSAGES or self._waiting_bytes >= _CHUNK_BYTES:
                    await self._keep(None, ())
        return arrived

    async def finish(self, span: Span, cases: Sequence[tuple[int, str, int | None]]) -> None:
        """Keep the rest; then the whole span is accounted for."""
        await self._keep(span, cases)

    async def _keep(self, span: Span | None, cases: Sequence[tuple[int, str, int | None]]) -> None:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        understood = await asyncio.to_thread(_understand_all, waiting)
        covered = Covered.of_uids(fetched.uid for fetched in waiting)
        if span is not None:
            covered = covered.add(span)

        async def work(connection: Connection) -> tuple[int, list[NewMessage]]:
            await leases.hold(connection, self._lease)
            kept = await _keep_chunk(connection, self._lease, self._mailbox, understood)
            await messages.quarantine(
                connection,
                self._lease.tenant_id,
                self._lease.account_id,
                self._mailbox.mailbox_id,
                cases,
            )
            await mailboxes.cover(connection, self._mailbox.mailbox_id, covered)
            return kept

        count, new = await in_transaction(self._pool, work)
        self.count += count
        QUARANTINED.inc(len(cases))
        _measure(new)


def _understand_all(fetched: Sequence[Fetched]) -> list[Understood]:
    now = datetime.now(UTC)
    return [
        understand(
            uid=one.uid,
            raw=one.raw,
            keywords=one.flags - {_RECENT},
            received_at=one.internal_date or now,
        )
        for one in fetched
    ]


async def _keep_chunk(
    connection: Connection, lease: Lease, mailbox: Mailbox, understood: Sequence[Understood]
) -> tuple[int, list[NewMessage]]:
    """Keep what is not kept already; how many that were, and which of them are new to us."""
    known = await messages.kept_uids(
        connection, mailbox.mailbox_id, [one.uid for one in understood]
    )
    fresh = [one for one in understood if one.uid not in known]
    if not fresh:
        return 0, []
    revision = await accounts.next_revision(connection, lease.account_id)

    seekers = await messages.unplaced_like(
        connection, lease.account_id, [one.fingerprint for one in fresh]
    )
    found = _reunited(fresh, seekers, mailbox)
    arrivals = [one for one in fresh if one.uid not in found]

    names = {name for one in arrivals for name in one.names}
    known_threads = await threads.known(connection, lease.account_id, sorted(names))
    joined = join([one.named for one in arrivals], known_threads, new_thread=uuid7)
    await threads.register(connection, lease.tenant_id, lease.account_id, joined.names)
    rethreaded = (
        await threads.merge(connection, lease.account_id, joined.merged, revision)
        if joined.merged
        else []
    )

    new = [
        NewMessage(
            message_id=uuid7(),
            uid=one.uid,
            keywords=one.keywords,
            thread_id=thread_id,
            content_id=one.content_id,
            fingerprint=one.fingerprint,
            arrival=Arrival.NEW if one.uid >= (mailbox.first_uidnext or 0) else Arrival.BACKFILL,
            size_bytes=one.content.size_bytes,
            received_at=one.content.received_at,
            kept=pack(one.content, one.body),
        )
        for one, thread_id in zip(arrivals, joined.threads, strict=True)
    ]
    await messages.keep(
        connection, lease.tenant_id, lease.account_id, mailbox.mailbox_id, revision, new
    )
    await _tell_new(connection, lease, mailbox, revision, arrivals, new)
    changes = {
        message_id: ChangedMessage(
            message_id=message_id,
            revision=revision,
            state=State(mailbox_id=mailbox_id, keywords=keywords, thread_id=thread_id),
            reasons=frozenset({ChangeReason.THREADED}),
        )
        for message_id, mailbox_id, keywords, thread_id in rethreaded
    }
    changes |= await _place_found(connection, mailbox, revision, fresh, found, joined.merged)
    for page in change_pages(list(changes.values())):
        await tell(
            connection,
            MessagesChanged(tenant_id=lease.tenant_id, account_id=lease.account_id, messages=page),
        )
    return len(fresh), new


def _measure(new: Sequence[NewMessage]) -> None:
    now = datetime.now(UTC)
    MESSAGES.inc(len(new))
    for one in new:
        MESSAGE_BYTES.observe(one.size_bytes)
        if one.arrival is Arrival.NEW:
            LAG_SECONDS.observe(max(0.0, (now - one.received_at).total_seconds()))


def _reunited(
    fresh: Sequence[Understood], seekers: Sequence[Unplaced], mailbox: Mailbox
) -> dict[int, Unplaced]:
    by_id = {one.message_id: one for one in seekers}
    found = reunite(
        [Arriving(one.uid, one.fingerprint) for one in fresh],
        [Seeker(one.message_id, one.mailbox_id, one.fingerprint) for one in seekers],
        mailbox.mailbox_id,
    )
    return {uid: by_id[message_id] for uid, message_id in found.items()}


async def _tell_new(
    connection: Connection,
    lease: Lease,
    mailbox: Mailbox,
    revision: int,
    arrivals: Sequence[Understood],
    new: Sequence[NewMessage],
) -> None:
    """New to the world: live. There before we were: behind everything live."""
    synced = [
        SyncedMessage(
            message_id=kept.message_id,
            revision=revision,
            arrival=kept.arrival,
            content_id=kept.content_id,
            content=one.content,
            state=State(
                mailbox_id=mailbox.mailbox_id, keywords=kept.keywords, thread_id=kept.thread_id
            ),
        )
        for one, kept in zip(arrivals, new, strict=True)
    ]
    for contract, arrival in ((MessagesSynced, Arrival.NEW), (MessagesFilled, Arrival.BACKFILL)):
        for page in message_pages([one for one in synced if one.arrival is arrival]):
            await tell(
                connection,
                contract(tenant_id=lease.tenant_id, account_id=lease.account_id, messages=page),
            )


async def _place_found(
    connection: Connection,
    mailbox: Mailbox,
    revision: int,
    fresh: Sequence[Understood],
    found: dict[int, Unplaced],
    merged: Mapping[UUID, UUID],
) -> dict[UUID, ChangedMessage]:
    """Give old friends their new place; what of it has to be told."""
    keywords = {one.uid: one.keywords for one in fresh}
    quiet: list[tuple[UUID, int, frozenset[str]]] = []
    told: dict[UUID, ChangedMessage] = {}
    changed: list[tuple[UUID, int, frozenset[str]]] = []
    for uid, friend in found.items():
        entry = (friend.message_id, uid, keywords[uid])
        moved = friend.mailbox_id != mailbox.mailbox_id
        if not moved and friend.keywords == keywords[uid]:
            quiet.append(entry)  # renumbered, and nothing else
            continue
        changed.append(entry)
        told[friend.message_id] = ChangedMessage(
            message_id=friend.message_id,
            revision=revision,
            state=State(
                mailbox_id=mailbox.mailbox_id,
                keywords=keywords[uid],
                thread_id=merged.get(friend.thread_id, friend.thread_id),
            ),
            reasons=frozenset({ChangeReason.MOVED if moved else ChangeReason.KEYWORDS}),
        )
    await messages.place(connection, mailbox.mailbox_id, None, quiet)
    await messages.place(connection, mailbox.mailbox_id, revision, changed)
    return told

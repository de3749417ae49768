"""Bring a batch of owed messages into our copy.

    heads ──recognised──> a place, nothing read        (moved here, or renumbered)
      ├──small──> FETCH, a stream ──> read in a process beside ──> kept, a transaction each
      │             └ larger than the server said ┐
      └──large──> structure, then the parts that are text        (attachments stay on the server)

The three steps of the stream run at the same time, on different messages, and hold a few chunks
between them whatever the batch (`keeping_chunks`). What FETCH does not give is listed again: gone,
or asked for alone, or else quarantined. Only then the whole span is accounted for.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import structlog
from msgspec import Struct

from services.sync.actions.keeping import Seen, give_places, looks_of
from services.sync.actions.keeping_chunks import Chunks, put_cases
from services.sync.actions.reading_large import NotGiven, read_large
from services.sync.actions.understanding import Readers
from services.sync.domain.covered import Covered, Span
from services.sync.domain.match_key import match_key
from services.sync.domain.skeleton import WHOLE_BYTES
from services.sync.domain.understand import Raw
from services.sync.domain.window import Batch
from services.sync.imap.errors import Refused
from services.sync.imap.fetch import Head
from services.sync.imap.session import Session
from services.sync.metrics import QUARANTINED
from services.sync.store import leases, mailboxes, places
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.quarantine import Case
from shared.db import Connection, Pool, in_transaction

log = structlog.get_logger()


class Pulled(Struct, frozen=True, kw_only=True):
    """What came of a batch."""

    messages: int  # kept, or recognised
    bytes: int  # read from the server
    commands: int


async def pull_batch(
    lease: Lease,
    mailbox: Mailbox,
    batch: Batch,
    session: Session,
    readers: Readers,
    pool: Pool,
    *,
    largest_bytes: int,
    release: str,
) -> Pulled:
    """Bring one batch of the selected mailbox into our copy."""
    chunks = Chunks(lease, mailbox, readers, pool, release)
    try:
        pull = _Pull(lease, mailbox, session, chunks, pool, release, largest_bytes)
        return await pull.run(batch)
    finally:
        await chunks.give_up()


async def put_aside(
    lease: Lease, mailbox: Mailbox, cases: Sequence[Case], pool: Pool, release: str
) -> None:
    """Quarantine messages that cannot be read now, so that the others can be."""

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        await put_cases(connection, lease, mailbox, cases, release)
        await mailboxes.cover(
            connection, mailbox.mailbox_id, Covered.of_uids(case.uid for case in cases)
        )

    await in_transaction(pool, work)
    QUARANTINED.inc(len(cases))


class _Pull:
    """One batch on its way."""

    def __init__(
        self,
        lease: Lease,
        mailbox: Mailbox,
        session: Session,
        chunks: Chunks,
        pool: Pool,
        release: str,
        largest_bytes: int,
    ) -> None:
        self._lease = lease
        self._mailbox = mailbox
        self._session = session
        self._chunks = chunks
        self._pool = pool
        self._release = release
        self._largest_bytes = largest_bytes
        self._whole_bytes = min(WHOLE_BYTES, largest_bytes)
        self._done: set[int] = set()  # recognised, or read
        self._recognised = 0
        self._cases: list[Case] = []
        self._commands = 3

    async def run(self, batch: Batch) -> Pulled:
        async with self._pool.acquire() as connection:
            seeking = await places.any_adrift(connection, self._lease.account_id)
        heads = await self._heads(batch.uids, named=seeking)
        if seeking:
            await self._recognise(heads)
        small: list[int] = []
        large: list[Head] = []
        for uid in batch.uids:
            head = heads.get(uid)
            if uid in self._done:
                continue
            if head is None or head.size <= self._whole_bytes:
                small.append(uid)
            else:
                large.append(head)
        large += await self._small(small)
        large += await self._missing([uid for uid in small if uid not in self._done], batch.span)
        await self._large(large)
        await self._chunks.finish()
        await self._finish(batch.span)
        return Pulled(
            messages=self._chunks.messages + self._recognised,
            bytes=self._chunks.bytes,
            commands=self._commands,
        )

    async def _heads(self, uids: Sequence[int], *, named: bool) -> dict[int, Head]:
        """What the server tells of these before they are read.

        Of all of them where some may be old friends; else of those that are too large to be read
        whole, which is all that has to be known.
        """
        if not named and (larger := await self._larger(uids)) is not None:
            uids = sorted(larger, reverse=True)
        if not uids:
            return {}
        return {
            head.uid: head async for page in self._session.heads(uids, named=named) for head in page
        }

    async def _larger(self, uids: Sequence[int]) -> set[int] | None:
        try:
            return await self._session.larger(uids, self._whole_bytes)
        except Refused:  # a server that searches nothing, or not for this
            return None

    # -- recognising ---------------------------------------------------------------------------

    async def _recognise(self, heads: Mapping[int, Head]) -> None:
        seen = {uid: _seen(head) for uid, head in heads.items()}
        looks = {
            uid: looks_of(
                seen[uid],
                match_key=match_key(head.fields or b"", head.size, head.internal_date)
                if head.internal_date
                else None,
            )
            for uid, head in heads.items()
        }

        async def work(connection: Connection) -> set[int]:
            await leases.hold(connection, self._lease)
            found = await give_places(connection, self._lease, self._mailbox, seen, looks)
            if found:
                await mailboxes.cover(connection, self._mailbox.mailbox_id, Covered.of_uids(found))
            return found

        found = await in_transaction(self._pool, work)
        self._recognised = len(found)
        self._done |= found

    # -- reading -------------------------------------------------------------------------------

    async def _small(self, uids: Sequence[int]) -> list[Head]:
        """Fetch these whole; those of them that are larger than the server had said."""
        larger: list[Head] = []
        if not uids:
            return larger
        self._commands += len(uids) // 50
        async with aclosing(self._session.fetch(uids, at_most=self._whole_bytes)) as fetching:
            async for fetched in fetching:
                if fetched.uid in self._done:
                    continue
                if fetched.whole:
                    await self._take(fetched, fetched.raw, {})
                else:
                    self._done.add(fetched.uid)
                    larger.append(fetched)
        return larger

    async def _large(self, heads: Sequence[Head]) -> None:
        """Fetch what a person reads of these."""
        self._cases += [
            Case(uid=head.uid, reason="too_large", size_bytes=head.size)
            for head in heads
            if head.size > self._largest_bytes
        ]
        wanted = [head for head in heads if head.size <= self._largest_bytes]
        if not wanted:
            return
        self._commands += 1 + len(wanted)
        async with aclosing(read_large(self._session, wanted)) as reading:
            async for read in reading:
                if isinstance(read, NotGiven):
                    size = read.head.size
                    case = Case(
                        uid=read.head.uid, reason="missing", detail=read.said, size_bytes=size
                    )
                    self._cases.append(case)
                else:
                    await self._take(read.head, read.raw, read.attachment_sizes)

    async def _missing(self, uids: Sequence[int], span: Span) -> list[Head]:
        """What was listed and did not come: gone by now, or given when asked for alone."""
        larger: list[Head] = []
        if not uids:
            return larger
        still_there = set(await self._session.uids(span))
        for uid in uids:
            if uid not in still_there:
                continue
            detail = ""
            try:
                larger += await self._small([uid])
            except Refused as refused:
                detail = refused.text
            if uid not in self._done:
                log.warning("message listed but not given", mailbox=str(self._mailbox.mailbox_id))
                self._cases.append(Case(uid=uid, reason="missing", detail=detail))
        return larger

    # -- keeping -------------------------------------------------------------------------------

    async def _take(self, head: Head, raw: bytes, attachment_sizes: Mapping[int, int]) -> None:
        self._done.add(head.uid)
        await self._chunks.take(
            _seen(head),
            Raw(
                uid=head.uid,
                raw=raw,
                received_at=head.internal_date or datetime.now(UTC),
                size_bytes=head.size,
                attachment_sizes=attachment_sizes,
            ),
        )

    async def _finish(self, span: Span) -> None:
        async def work(connection: Connection) -> None:
            await leases.hold(connection, self._lease)
            await put_cases(connection, self._lease, self._mailbox, self._cases, self._release)
            await mailboxes.cover(connection, self._mailbox.mailbox_id, Covered((span,)))

        await in_transaction(self._pool, work)
        QUARANTINED.inc(len(self._cases))


def _seen(one: Head) -> Seen:
    return Seen(
        uid=one.uid,
        flags=one.flags,
        email_id=one.email_id,
        labels=one.gm_labels or frozenset(),
        thread=one.gm_thread,
    )

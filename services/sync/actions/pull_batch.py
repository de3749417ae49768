"""Bring a batch of owed messages into our copy.

    heads ──recognised──> a place, nothing read        (moved here, or renumbered)
      ├──small──> FETCH, a stream ──> read in a process beside ──> kept, a transaction each
      └──large──> structure, then the parts that are text        (attachments stay on the server)

The three steps of the stream run at the same time, on different messages, and hold a few chunks
between them whatever the batch. What FETCH does not give is listed again: gone, or asked for
alone, or else quarantined. Only then the whole span is accounted for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import structlog
from msgspec import Struct

from services.sync.actions.keeping import Seen, give_places, keep, looks_of
from services.sync.actions.understanding import Readers
from services.sync.domain.covered import Covered, Span
from services.sync.domain.match_key import match_key
from services.sync.domain.skeleton import WHOLE_BYTES, assemble, sections_of
from services.sync.domain.understand import Raw, Understood, Unreadable
from services.sync.domain.window import Batch
from services.sync.imap.errors import Refused
from services.sync.imap.fetch import Fetched
from services.sync.imap.heads import Head
from services.sync.imap.session import Session
from services.sync.imap.structure import Structure
from services.sync.metrics import LAG_SECONDS, MESSAGE_BYTES, MESSAGES, QUARANTINED
from services.sync.store import leases, mailboxes, places, quarantine
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.messages import NewMessage
from services.sync.store.quarantine import Case
from shared.contracts.mail import Arrival
from shared.db import Connection, Pool, in_transaction
from shared.telemetry import end

log = structlog.get_logger()

_CHUNK_MESSAGES = 200
_CHUNK_BYTES = 4 * 1024 * 1024
_CHUNKS_AHEAD = 2
_BEGINNING_BYTES = 1024 * 1024


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
    pull = _Pull(lease, mailbox, session, readers, pool, release)
    try:
        return await pull.run(batch, largest_bytes)
    finally:
        await pull.give_up()


async def put_aside(
    lease: Lease, mailbox: Mailbox, cases: Sequence[Case], pool: Pool, release: str
) -> None:
    """Quarantine messages that cannot be read now, so that the others can be."""

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        await _quarantine(connection, lease, mailbox, cases, release)
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
        readers: Readers,
        pool: Pool,
        release: str,
    ) -> None:
        self._lease = lease
        self._mailbox = mailbox
        self._session = session
        self._readers = readers
        self._pool = pool
        self._release = release
        self._chunks: list[asyncio.Task[None]] = []
        self._chunk: list[Raw] = []
        self._chunk_bytes = 0
        self._seen: dict[int, Seen] = {}
        self._cases: list[Case] = []
        self._count = 0
        self._bytes = 0
        self._commands = 0

    async def run(self, batch: Batch, largest_bytes: int) -> Pulled:
        async with self._pool.acquire() as connection:
            seeking = await places.any_adrift(connection, self._lease.account_id)
        heads = await self._heads(batch.uids, min(WHOLE_BYTES, largest_bytes), named=seeking)
        if seeking:
            await self._recognise(heads)
        small: list[int] = []
        for uid in batch.uids:
            head = heads.get(uid)
            if uid in self._seen:
                continue  # recognised
            if head is not None and head.size > largest_bytes:
                self._cases.append(Case(uid=uid, reason="too_large", size_bytes=head.size))
            elif head is None or head.size <= WHOLE_BYTES:
                small.append(uid)
        missing = await self._stream(small)
        await self._large(
            [
                head
                for head in heads.values()
                if WHOLE_BYTES < head.size <= largest_bytes and head.uid not in self._seen
            ]
        )
        await self._missing(missing, batch.span)
        await self._flush()
        await self._drained()
        await self._finish(batch.span)
        return Pulled(
            messages=self._count, bytes=self._bytes, commands=3 + len(small) // 50 + self._commands
        )

    async def give_up(self) -> None:
        """Leave nothing running; what was kept stays kept."""
        await end(self._chunks)

    async def _heads(self, uids: Sequence[int], octets: int, *, named: bool) -> dict[int, Head]:
        """What the server tells of these before they are read.

        Of all of them where some may be old friends; else of those that are larger than so many
        octets, which is all that has to be known.
        """
        if not named and (larger := await self._larger(uids, octets)) is not None:
            uids = sorted(larger, reverse=True)
        if not uids:
            return {}
        return {
            head.uid: head async for page in self._session.heads(uids, named=named) for head in page
        }

    async def _larger(self, uids: Sequence[int], octets: int) -> set[int] | None:
        try:
            return await self._session.larger(uids, octets)
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
        self._count += len(found)
        self._seen |= {uid: seen[uid] for uid in found}

    # -- reading -------------------------------------------------------------------------------

    async def _stream(self, uids: Sequence[int]) -> list[int]:
        """Fetch these whole; those that did not come."""
        if not uids:
            return []
        async with aclosing(self._session.fetch(uids)) as fetching:
            async for fetched in fetching:
                if fetched.uid not in self._seen:
                    await self._take(
                        _seen(fetched),
                        Raw(
                            uid=fetched.uid,
                            raw=fetched.raw,
                            received_at=fetched.internal_date or datetime.now(UTC),
                            size_bytes=fetched.size,
                        ),
                    )
        return [uid for uid in uids if uid not in self._seen]

    async def _large(self, heads: Sequence[Head]) -> None:
        """Fetch what a person reads of large messages; their attachments stay where they are."""
        if not heads:
            return
        self._commands += 1 + len(heads)
        structures = await self._structures([head.uid for head in heads])
        wanted = {uid: sections_of(structure) for uid, structure in structures.items()}
        unread = {head.uid: head for head in heads}
        async with aclosing(self._session.sections_of_each(wanted)) as reading:
            async for uid, sections in reading:
                if isinstance(sections, Refused) or uid not in unread:
                    continue
                if (skeleton := assemble(structures[uid], sections)) is not None:
                    await self._take_part(unread.pop(uid), skeleton.raw, skeleton.attachment_sizes)
        for head in unread.values():
            # A structure that cannot be used: what comes first is most of what a person reads.
            beginning, said = None, ""
            try:
                beginning = await self._session.beginning(head.uid, _BEGINNING_BYTES)
            except Refused as refused:
                said = refused.text
            if beginning is None:
                case = Case(uid=head.uid, reason="missing", detail=said, size_bytes=head.size)
                self._cases.append(case)
                continue
            await self._take_part(head, beginning, {})

    async def _structures(self, uids: Sequence[int]) -> dict[int, Structure]:
        try:
            return await self._session.structure(uids)
        except Refused:
            if len(uids) == 1:
                return {}
        # One that the server stumbles over is not the others' fault.
        found: dict[int, Structure] = {}
        for uid in uids:
            found |= await self._structures([uid])
        return found

    async def _take_part(self, head: Head, raw: bytes, sizes: Mapping[int, int]) -> None:
        await self._take(
            _seen(head),
            Raw(
                uid=head.uid,
                raw=raw,
                received_at=head.internal_date or datetime.now(UTC),
                size_bytes=head.size,
                attachment_sizes=sizes,
            ),
        )

    async def _missing(self, uids: Sequence[int], span: Span) -> None:
        """What was listed and did not come: gone by now, or given when asked for alone."""
        if not uids:
            return
        still_there = set(await self._session.uids(span))
        for uid in uids:
            if uid not in still_there:
                continue
            detail = ""
            try:
                if not await self._stream([uid]):
                    continue
            except Refused as refused:
                detail = refused.text
            log.warning("message listed but not given", mailbox=str(self._mailbox.mailbox_id))
            self._cases.append(Case(uid=uid, reason="missing", detail=detail))

    # -- keeping -------------------------------------------------------------------------------

    async def _take(self, seen: Seen, raw: Raw) -> None:
        self._seen[seen.uid] = seen
        self._chunk.append(raw)
        self._chunk_bytes += len(raw.raw)
        self._bytes += len(raw.raw)
        if len(self._chunk) >= _CHUNK_MESSAGES or self._chunk_bytes >= _CHUNK_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        """Hand the chunk on; wait when too many are on their way."""
        if self._chunk:
            chunk, self._chunk, self._chunk_bytes = self._chunk, [], 0
            before = self._chunks[-1] if self._chunks else None
            self._chunks.append(asyncio.create_task(self._read_and_keep(chunk, before)))
        while len(self._chunks) > _CHUNKS_AHEAD:
            await self._chunks.pop(0)

    async def _drained(self) -> None:
        while self._chunks:
            await self._chunks.pop(0)

    async def _read_and_keep(self, chunk: list[Raw], before: "asyncio.Task[None] | None") -> None:
        read = await self._readers.read(chunk)
        chunk.clear()
        if before is not None:
            await before
        understood = [one for one in read if isinstance(one, Understood)]
        unreadable = [
            Case(uid=one.uid, reason="unreadable", detail=one.reason)
            for one in read
            if isinstance(one, Unreadable)
        ]

        async def work(connection: Connection) -> list[NewMessage]:
            await leases.hold(connection, self._lease)
            new = await keep(connection, self._lease, self._mailbox, self._seen, understood)
            await _quarantine(connection, self._lease, self._mailbox, unreadable, self._release)
            await mailboxes.cover(
                connection, self._mailbox.mailbox_id, Covered.of_uids(one.uid for one in read)
            )
            return new

        new = await in_transaction(self._pool, work)
        self._count += len(understood)
        QUARANTINED.inc(len(unreadable))
        _measure(new)

    async def _finish(self, span: Span) -> None:
        async def work(connection: Connection) -> None:
            await leases.hold(connection, self._lease)
            await _quarantine(connection, self._lease, self._mailbox, self._cases, self._release)
            await mailboxes.cover(connection, self._mailbox.mailbox_id, Covered((span,)))

        await in_transaction(self._pool, work)
        QUARANTINED.inc(len(self._cases))


async def _quarantine(
    connection: Connection, lease: Lease, mailbox: Mailbox, cases: Sequence[Case], release: str
) -> None:
    if cases:
        await quarantine.put(
            connection, lease.tenant_id, lease.account_id, mailbox.mailbox_id, cases, release
        )


def _seen(one: Head | Fetched) -> Seen:
    return Seen(
        uid=one.uid,
        flags=one.flags,
        email_id=one.email_id,
        labels=one.gm_labels or frozenset(),
        thread=one.gm_thread,
    )


def _measure(new: Sequence[NewMessage]) -> None:
    now = datetime.now(UTC)
    MESSAGES.inc(len(new))
    for one in new:
        MESSAGE_BYTES.observe(one.size_bytes)
        if one.arrival is Arrival.NEW:
            LAG_SECONDS.observe(max(0.0, (now - one.received_at).total_seconds()))

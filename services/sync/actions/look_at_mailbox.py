"""Compare a mailbox with our copy of it: what is gone, marked differently, or still owed to us.

    what the server offers             how it is asked
    -------------------------------    ---------------------------------------------------------
    QRESYNC (RFC 7162)                 CHANGEDSINCE … VANISHED: differences only
    CONDSTORE                          CHANGEDSINCE; expunges by listing, when the counts differ
    neither, or a thorough look        all UIDs and all flags, some thousands at a time

Whatever the size of a mailbox, only some thousands of its messages are held at a time, and four
bytes for each of the others.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from services.sync.actions.comparing import MarkedUid, differs, note_differences
from services.sync.domain.covered import EVERY_UID, LAST_UID, Covered, Span
from services.sync.domain.survey import SurveyOutdated
from services.sync.domain.uidvalidity import Position, Remap, Resume, next_step
from services.sync.domain.window import Uids, owed_of
from services.sync.imap.fetch import FlagsOf
from services.sync.imap.select import Selected
from services.sync.imap.session import Session
from services.sync.imap.status import StatusOf
from services.sync.store import leases, lost, mailboxes, places, quarantine
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from services.sync.store.places import Placed
from shared.db import Connection, Pool, in_transaction

_ROWS = 5_000  # of ours compared at a time


class Looked(Struct, frozen=True, kw_only=True):
    """What a look at a mailbox found that we do not have yet."""

    mailbox: Mailbox  # as it is after the look
    began: datetime  # whatever of ours is in the mailbox was there then
    owed: "Uids[int]"  # ascending
    top: int  # every UID from 1 to here was listed or is covered
    exists: int  # messages on the server
    lost: int  # messages of ours that have no place now


def status_line(counters: StatusOf | None) -> str | None:
    """A mailbox's counters as one word: when it is the same, nothing came and nothing went."""
    if counters is None:
        return None
    return f"{counters.uidvalidity}:{counters.uidnext}:{counters.messages}:{counters.highestmodseq}"


async def look_at_mailbox(
    lease: Lease,
    mailbox_id: UUID,
    session: Session,
    pool: Pool,
    *,
    thorough: bool,
    surveyed: int | None,
) -> Looked:
    """Bring what we keep of a mailbox up to date; return what has to be fetched.

    `surveyed` is the UIDVALIDITY that the mailbox of this name had in the survey, if that counts.
    Raises SurveyOutdated when it has yet another one.
    """
    async with pool.acquire() as connection:
        began = await mailboxes.moment(connection)
        mailbox = await mailboxes.mailbox(connection, mailbox_id)
    selected = await session.select(mailbox.raw_name, readonly=True)
    step = next_step(_position(mailbox), selected.uidvalidity)
    if isinstance(step, Remap) and surveyed not in {None, selected.uidvalidity}:
        raise SurveyOutdated(mailbox.path)
    look = _Look(lease, mailbox, began, selected, session, pool)
    if not isinstance(step, Resume):
        return await look.begin(renumbered=isinstance(step, Remap))
    if thorough or mailbox.highestmodseq is None or selected.highestmodseq is None:
        await look.compare_all(flags=True)
    elif selected.highestmodseq < mailbox.highestmodseq:
        await look.compare_all(flags=True)  # the server lost its own count
    else:
        await look.compare_changes()
    return await look.owed()


class _Look:
    """One comparison, from SELECT to the new position."""

    def __init__(
        self,
        lease: Lease,
        mailbox: Mailbox,
        began: datetime,
        selected: Selected,
        session: Session,
        pool: Pool,
    ) -> None:
        self._lease = lease
        self._mailbox = mailbox
        self._began = began
        self._selected = selected
        self._session = session
        self._pool = pool
        self._labels = "X-GM-EXT-1" in session.capabilities
        self._asides: list[list[int]] = []
        self._lost = 0

    async def begin(self, *, renumbered: bool) -> Looked:
        """A mailbox that is new to us, or whose UIDs mean nothing any more."""
        listed = await self._session.uids(EVERY_UID)
        top = self._top(listed)

        async def work(connection: Connection) -> Mailbox:
            await leases.hold(connection, self._lease)
            if renumbered:
                await lost.unnumber(connection, self._mailbox.mailbox_id)
            await mailboxes.begin(
                connection,
                self._mailbox.mailbox_id,
                self._selected.uidvalidity,
                top + 1,
                self._selected.highestmodseq,
                renumbered=renumbered,
            )
            await self._put_position(connection)
            return await mailboxes.mailbox(connection, self._mailbox.mailbox_id)

        mailbox = await in_transaction(self._pool, work)
        return Looked(
            mailbox=mailbox,
            began=self._began,
            owed=listed,
            top=top,
            exists=self._selected.exists,
            lost=int(renumbered),
        )

    async def compare_changes(self) -> None:
        """Ask for what changed since our position (RFC 7162 §3.1.4.1, §3.2.6)."""
        since = self._mailbox.highestmodseq
        assert since is not None
        tells_expunges = "QRESYNC" in self._session.enabled
        if self._selected.highestmodseq != since:
            async for told in self._session.changes(since):
                if isinstance(told, Covered):
                    await self._note_vanished(told)
                else:
                    await self._note_marked(told)
            await self._note_labels()
        if not tells_expunges and await self._count_differs():
            await self.compare_all(flags=False)

    async def _count_differs(self) -> bool:
        """Whether the server holds another number of messages than we do and are still owed."""
        async with self._pool.acquire() as connection:
            kept = await places.count(connection, self._mailbox.mailbox_id)
        owed = owed_of(await self._listed_gaps(), self._mailbox.covered)
        return kept + len(owed) != self._selected.exists

    async def compare_all(self, *, flags: bool) -> None:
        """Compare every UID, and every mark, with ours."""
        listed = await self._session.uids(EVERY_UID)
        if flags:
            await self._owe_quarantined(listed)
        again: Uids[int] | None = None
        after = 0
        while True:
            async with self._pool.acquire() as connection:
                rows = await places.placed_after(connection, self._mailbox.mailbox_id, after, _ROWS)
            upto = rows[-1].uid if len(rows) == _ROWS else LAST_UID
            missing = [row for row in rows if not _holds(listed, row.uid)]
            if missing:
                # Absent from one listing may be the listing's fault: believed when absent twice.
                again = await self._session.uids(EVERY_UID) if again is None else again
                missing = [row for row in missing if not _holds(again, row.uid)]
            here = listed[bisect_right(listed, after) : bisect_right(listed, upto)]
            await self._uncover(here, rows)
            if missing:
                await self._note({}, missing)
            if flags and rows:
                await self._compare_flags(Span(rows[0].uid, rows[-1].uid), rows)
            if upto == LAST_UID:
                return
            after = upto

    async def _uncover(self, listed: "Uids[int]", rows: list[Placed]) -> None:
        """What is listed, counted as covered, and yet not here, is owed again."""
        kept = {row.uid for row in rows}
        absent = array("I", (uid for uid in listed if uid not in kept))
        unexplained = set(absent) - set(owed_of(absent, self._mailbox.covered))
        if not unexplained:
            return

        async def work(connection: Connection) -> None:
            await leases.hold(connection, self._lease)
            known = await places.accounted_for(
                connection, self._mailbox.mailbox_id, list(unexplained)
            )
            if owed := unexplained - known:
                await mailboxes.uncover(connection, self._mailbox.mailbox_id, Covered.of_uids(owed))

        await in_transaction(self._pool, work)

    async def _owe_quarantined(self, listed: "Uids[int]") -> None:
        """What could not be kept is tried again now and then, as long as it is there."""

        async def work(connection: Connection) -> None:
            await leases.hold(connection, self._lease)
            uids = await quarantine.uids_of(connection, self._mailbox.mailbox_id)
            here = {uid for uid in uids if _holds(listed, uid)}
            await quarantine.forget(connection, self._mailbox.mailbox_id, list(uids - here))
            await mailboxes.uncover(connection, self._mailbox.mailbox_id, Covered.of_uids(here))

        await in_transaction(self._pool, work)

    async def _compare_flags(self, span: Span, rows: list[Placed]) -> None:
        ours = {row.uid: row for row in rows}
        if self._labels:
            marked = await self._with_labels(list(ours))
            await self._note({ours[uid]: one for uid, one in marked.items()}, [])
            return
        async for page in self._session.flags(span):
            await self._note(
                {
                    row: MarkedUid(flags=told.flags)
                    for told in page
                    if (row := ours.get(told.uid)) is not None
                },
                [],
            )

    async def _note_marked(self, told: list[FlagsOf]) -> None:
        marked = {one.uid: MarkedUid(flags=one.flags) for one in told}
        async with self._pool.acquire() as connection:
            rows = await places.placed_at(connection, self._mailbox.mailbox_id, list(marked))
        if self._labels and rows:
            self._asides.append(list(rows))  # a command cannot be asked within another's answer
        await self._note({row: marked[uid] for uid, row in rows.items()}, [])

    async def _note_labels(self) -> None:
        """What changed may have changed in its labels, of which CHANGEDSINCE does not tell."""
        for uids in self._asides:
            marked = await self._with_labels(uids)
            async with self._pool.acquire() as connection:
                rows = await places.placed_at(connection, self._mailbox.mailbox_id, uids)
            await self._note({row: marked[uid] for uid, row in rows.items() if uid in marked}, [])

    async def _with_labels(self, uids: list[int]) -> dict[int, MarkedUid]:
        return {
            head.uid: MarkedUid(flags=head.flags, labels=head.gm_labels)
            async for page in self._session.heads(uids, named=False)
            for head in page
        }

    async def _note_vanished(self, vanished: Covered) -> None:
        async with self._pool.acquire() as connection:
            await quarantine.forget_within(connection, self._mailbox.mailbox_id, vanished)
        while True:
            async with self._pool.acquire() as connection:
                rows = await places.placed_within(
                    connection, self._mailbox.mailbox_id, vanished, _ROWS
                )
            if not rows:
                return
            await self._note({}, rows)

    async def _note(self, marked: dict[Placed, MarkedUid], gone: Iterable[Placed]) -> None:
        left = list(gone)
        if not left and not any(differs(row, one) for row, one in marked.items()):
            return

        async def work(connection: Connection) -> int:
            await leases.hold(connection, self._lease)
            return await note_differences(
                connection, self._lease, self._mailbox, marked=marked, gone=left
            )

        self._lost += await in_transaction(self._pool, work)

    async def owed(self) -> Looked:
        """What is not accounted for yet; the position moves up to what SELECT announced."""
        listed = await self._listed_gaps()
        top = self._top(listed)

        async def work(connection: Connection) -> Mailbox:
            await leases.hold(connection, self._lease)
            await self._put_position(connection)
            return await mailboxes.mailbox(connection, self._mailbox.mailbox_id)

        mailbox = await in_transaction(self._pool, work)
        return Looked(
            mailbox=mailbox,
            began=self._began,
            owed=owed_of(listed, mailbox.covered),
            top=top,
            exists=self._selected.exists,
            lost=self._lost,
        )

    async def _listed_gaps(self) -> "Uids[int]":
        """The UIDs that exist where we have not accounted for all, and a few more."""
        async with self._pool.acquire() as connection:
            self._mailbox = await mailboxes.mailbox(connection, self._mailbox.mailbox_id)
        gaps = self._mailbox.covered.gaps(EVERY_UID)
        # UIDNEXT is no proof that nothing is above it: some servers announce too little.
        return await self._session.uids(Span(gaps[-1].first, LAST_UID)) if gaps else array("I")

    async def _put_position(self, connection: Connection) -> None:
        await mailboxes.put_position(
            connection,
            self._mailbox.mailbox_id,
            highestmodseq=self._selected.highestmodseq,
            server_count=self._selected.exists,
            server_id=self._selected.mailbox_id,
        )

    def _top(self, listed: "Uids[int]") -> int:
        return max((self._selected.uidnext or 1) - 1, listed[-1] if listed else 0)


def _holds(uids: "Uids[int]", uid: int) -> bool:
    at = bisect_left(uids, uid)
    return at < len(uids) and uids[at] == uid


def _position(mailbox: Mailbox) -> Position | None:
    if mailbox.uidvalidity is None:
        return None
    return Position(mailbox.uidvalidity)

"""Mark messages on the server as somebody wished, and know them marked so."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from services.sync.actions.carrying import as_marked, heads_of
from services.sync.actions.comparing import note_differences
from services.sync.domain.wishes import Wish, is_met, kept_of, left_of
from services.sync.imap.session import Session
from services.sync.store import leases
from services.sync.store.intents import Where
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.contracts.intent import Exempt, Label, Mark, Outcome
from shared.db import Connection, Pool, in_transaction


async def carry_marks(
    lease: Lease,
    mailbox: Mailbox,
    change: Mark | Label,
    rows: Sequence[Where],
    session: Session,
    pool: Pool,
) -> list[Exempt]:
    """Mark these messages of the open mailbox; those that were not, and why. Raises Refused.

    What somebody else changed since we knew it stays as they left it.
    """
    by_uid = {row.uid: row for row in rows if row.uid is not None}
    wish = Wish(change.add, change.remove)
    match change:
        case Mark():
            superseded = await _store_flags(session, mailbox, by_uid, wish)
        case Label():
            superseded = frozenset[int]()
            for sign, labels in (("+", wish.add), ("-", wish.remove)):
                if labels:
                    await session.store_labels(sorted(by_uid), sign, labels)
    told = await heads_of(session, sorted(by_uid))
    exempt: list[Exempt] = []
    for uid, row in by_uid.items():
        head = told.get(uid)
        if head is None:
            exempt.append(_exempt(row.message_id, Outcome.SUPERSEDED, "message_gone"))
        elif not is_met(wish, head.flags if isinstance(change, Mark) else head.gm_labels or ()):
            exempt.append(
                _exempt(row.message_id, Outcome.SUPERSEDED, "changed_on_server")
                if uid in superseded
                else _exempt(row.message_id, Outcome.REFUSED, "keyword_not_kept")
            )

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        await note_differences(
            connection,
            lease,
            mailbox,
            marked=as_marked(by_uid, told),
            gone=[],
        )

    await in_transaction(pool, work)
    return exempt


async def _store_flags(
    session: Session, mailbox: Mailbox, by_uid: dict[int, Where], wish: Wish
) -> frozenset[int]:
    """Mark them; those of which somebody else changed what was wished.

    A server that cannot be told since when (RFC 7162 §3.1.3) is asked first how they are marked.
    """
    selected = session.selected
    assert selected is not None, "opened by the caller"
    possible = kept_of(wish, selected.permanent_flags)
    since = mailbox.highestmodseq if selected.highestmodseq is not None else None
    modified = set[int]() if since is not None else set(by_uid)
    if since is not None:
        for sign, flags in (("+", possible.add), ("-", possible.remove)):
            if flags:
                stored = await session.store_flags(sorted(by_uid), sign, flags, since=since)
                modified |= stored.modified
    if not modified:
        return frozenset()
    superseded: set[int] = set()
    again: defaultdict[Wish, list[int]] = defaultdict(list)
    for uid, head in (await heads_of(session, sorted(modified))).items():
        left = left_of(possible, by_uid[uid].keywords, head.flags)
        if left != possible:
            superseded.add(uid)
        again[left].append(uid)
    for left, uids in again.items():
        for sign, flags in (("+", left.add), ("-", left.remove)):
            if flags:
                await session.store_flags(sorted(uids), sign, flags, since=None)
    return frozenset(superseded)


def _exempt(message_id: UUID, outcome: Outcome, reason: str) -> Exempt:
    return Exempt(message_id=message_id, outcome=outcome, reason=reason)

"""Remove messages from the server for good."""

from collections.abc import Sequence

from msgspec import Struct

from services.sync.actions.carrying import as_marked, heads_of, remove
from services.sync.actions.comparing import note_differences, tell_vanished
from services.sync.imap.session import Session
from services.sync.store import accounts, leases, messages
from services.sync.store.intents import Where
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.contracts.intent import Exempt, Outcome
from shared.db import Connection, Pool, in_transaction


class Removed(Struct, frozen=True, kw_only=True):
    """What became of a wish to remove messages."""

    exempt: list[Exempt]
    reason: str | None


async def carry_removal(
    lease: Lease, mailbox: Mailbox, rows: Sequence[Where], session: Session, pool: Pool
) -> Removed:
    """Remove these messages of the open mailbox. Raises Refused.

    Who was not there to be removed may be elsewhere, and is left to the next round.
    """
    by_uid = {row.uid: row for row in rows if row.uid is not None}
    there = await heads_of(session, sorted(by_uid))
    reason = await remove(session, sorted(there)) if there else None
    left = await heads_of(session, sorted(there)) if there else {}
    gone = [by_uid[uid].message_id for uid in there if uid not in left]

    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        if gone:
            revision = await accounts.next_revision(connection, lease.account_id)
            await messages.vanish(connection, gone, revision)
            await tell_vanished(connection, lease, gone, revision)
        await note_differences(
            connection,
            lease,
            mailbox,
            marked=as_marked(by_uid, left),
            gone=[],
        )

    await in_transaction(pool, work)
    exempt = [
        Exempt(message_id=row.message_id, outcome=Outcome.SUPERSEDED, reason="message_gone")
        for uid, row in by_uid.items()
        if uid not in there
    ]
    if reason is None:
        exempt += [
            Exempt(message_id=by_uid[uid].message_id, outcome=Outcome.REFUSED, reason="not_removed")
            for uid in left
        ]
    return Removed(exempt=exempt, reason=reason)

"""Find the copies of messages that were made before we were interrupted."""

from collections.abc import Sequence

from services.sync.domain.covered import LAST_UID, Span
from services.sync.domain.match_key import match_key
from services.sync.imap.session import Session
from services.sync.imap.transfer import Landed
from services.sync.store.intents import Where
from services.sync.store.mailboxes import Mailbox


async def find_landed(
    target: Mailbox, rows: Sequence[Where], since: int, session: Session
) -> Landed:
    """Which of these have a copy in the mailbox that came at this UID or above; opens it."""
    selected = await session.select(target.raw_name, readonly=True)
    arrived = list(await session.uids(Span(since, LAST_UID)))
    keys: dict[bytes, list[int]] = {}
    async for page in session.heads(arrived, named=True):
        for head in page:
            if head.internal_date is not None:
                key = match_key(head.fields or b"", head.size, head.internal_date)
                if key is not None:
                    keys.setdefault(key, []).append(head.uid)
    found: dict[int, int] = {}
    for row in rows:
        if row.uid is not None and row.match_key and (alike := keys.get(row.match_key)):
            found[row.uid] = alike.pop(0)
    return Landed(selected.uidvalidity, found)

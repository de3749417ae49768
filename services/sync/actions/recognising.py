"""Which mailboxes of a listing are ones we know, under other names or after they were gone.

Two are the same when the server says so (MAILBOXID, RFC 8474), or when they have the same
UIDVALIDITY and messages that we kept are in it under the same UIDs. Where none of them is in it any
more, a UIDVALIDITY that no other mailbox has tells, together with a UIDNEXT that goes on from them.
Then the mailbox keeps its id, and so do the messages in it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import timedelta
from uuid import UUID

import structlog

from services.sync.domain.match_key import match_key
from services.sync.imap.errors import Refused, Unavailable
from services.sync.imap.list import ListedMailbox
from services.sync.imap.names import MailboxName
from services.sync.imap.select import Selected
from services.sync.imap.session import Session
from services.sync.imap.status import StatusOf
from services.sync.store import keepsakes, mailboxes, places
from services.sync.store.mailboxes import Mailbox
from shared.db import Pool

log = structlog.get_logger()

#: For so long a mailbox that is gone may come back.
_REMEMBERED = timedelta(days=1)


async def known_again(
    account_id: UUID,
    listed: Mapping[str, ListedMailbox],
    counters: Mapping[MailboxName, StatusOf],
    session: Session,
    pool: Pool,
) -> dict[str, Mailbox]:
    """By path, the mailboxes of which the path alone does not tell that they are there.

    Their name is another now, perhaps one that another mailbox had; or they were gone. Whoever is
    not among them, and not gone, is what is listed under its name.
    """
    told = {
        path: status
        for path, entry in listed.items()
        if entry.selectable and (status := counters.get(entry.raw_name)) is not None
    }
    async with pool.acquire() as connection:
        known = await mailboxes.mailboxes(connection, account_id)
        settled = {one.path for one in known if _is_as_told(one, told)}
        left = [path for path in told if path not in settled]
        if not left:
            return {}
        gone = await mailboxes.gone_lately(connection, account_id, _REMEMBERED)
    wanted = [one for one in known if one.path not in settled] + gone
    here = Counter(status.uidvalidity for status in told.values())
    ours = Counter(one.uidvalidity for one in (*known, *gone))
    telling = {number for number in here.keys() & ours.keys() if here[number] == ours[number] == 1}
    found: dict[str, Mailbox] = {}
    for path in left:
        one = await _the_one_at(listed[path], told[path], wanted, telling, session, pool)
        if one is not None:
            found[path] = one
            wanted.remove(one)
    return found


def _is_as_told(mailbox: Mailbox, told: Mapping[str, StatusOf]) -> bool:
    """Whether a mailbox is where we knew it. Where it was never read, nothing speaks for that."""
    return (
        mailbox.uidvalidity is not None
        and mailbox.path in told
        and told[mailbox.path].uidvalidity in {None, mailbox.uidvalidity}
    )


async def _the_one_at(
    entry: ListedMailbox,
    status: StatusOf,
    wanted: Sequence[Mailbox],
    telling: Set[int | None],
    session: Session,
    pool: Pool,
) -> Mailbox | None:
    """Which of the mailboxes that we look for is the one listed here, if any.

    `telling`: each UIDVALIDITY that one mailbox has, there and here.
    """
    candidates = [one for one in wanted if _may_be_at(one, entry, status)]
    if not candidates:
        return None
    try:
        selected = await session.select(entry.raw_name, readonly=True)
    except Unavailable:
        raise
    except Refused as refused:
        log.info("new mailbox cannot be opened", error=refused.text)
        return None
    for one in candidates:
        if await _is_same(one, entry, selected, telling, session, pool):
            return one
    return None


def _may_be_at(mailbox: Mailbox, entry: ListedMailbox, status: StatusOf) -> bool:
    """Whether it is worth the opening of the mailbox that is listed here."""
    if mailbox.gone_at is None and mailbox.path == entry.path:
        return False  # it is, unless another one is known again there
    return mailbox.server_id is not None or (
        mailbox.uidvalidity is not None and mailbox.uidvalidity == status.uidvalidity
    )


async def _is_same(
    mailbox: Mailbox,
    entry: ListedMailbox,
    selected: Selected,
    telling: Set[int | None],
    session: Session,
    pool: Pool,
) -> bool:
    if mailbox.server_id is not None and selected.mailbox_id is not None:
        return mailbox.server_id == selected.mailbox_id
    if selected.uidvalidity != mailbox.uidvalidity:
        return False
    if mailbox.path == entry.path:
        return True  # one made anew under an old name has another (RFC 9051 §2.3.1.1)
    async with pool.acquire() as connection:
        kept = await places.sample(connection, mailbox.mailbox_id)
        if not kept:
            kept = await keepsakes.of_mailbox(connection, mailbox.mailbox_id)
    if not kept and not selected.exists:
        return True  # nothing in it, nothing to lose
    same = other = 0
    async for page in session.heads(sorted(kept), named=True):
        for head in page:
            looks = kept[head.uid]
            if looks.email_id is not None and head.email_id is not None:
                if looks.email_id != head.email_id:
                    return False
            elif looks.match_key is None or head.internal_date is None:
                continue
            elif looks.match_key != match_key(head.fields or b"", head.size, head.internal_date):
                other += 1  # perhaps listed with another date than before
                continue
            same += 1
    if same or other:
        return same > other  # in two mailboxes hardly one message has the same UID
    # All that we knew has left. One made anew begins with UIDs of its own.
    goes_on = selected.uidnext is not None and selected.uidnext > max(kept, default=0)
    return goes_on and selected.uidvalidity in telling

"""Which mailboxes the account has now, and which of them are old ones under new names.

A mailbox that is not what it was and one that is new are the same when the server says so
(MAILBOXID, RFC 8474), or when they have the same UIDVALIDITY and the newest messages we keep are in
it under the same UIDs. Then it keeps its id, and so do the messages in it.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog
from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from services.sync.actions.comparing import tell_unplaced
from services.sync.domain.mailbox_role import role_of
from services.sync.domain.match_key import match_key
from services.sync.domain.pages import change_pages
from services.sync.imap.errors import Refused, Unavailable
from services.sync.imap.list import ListedMailbox
from services.sync.imap.names import MailboxName
from services.sync.imap.session import Session
from services.sync.imap.status import StatusOf
from services.sync.store import accounts, leases, lost, mailboxes, places
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.bus import tell
from shared.contracts.mail import MailboxesSynced, MailboxRole
from shared.db import Connection, Pool, in_transaction

log = structlog.get_logger()

#: So many of the newest messages must be in a mailbox for it to be the one we knew.
_SAMPLE = 5
#: Where labels are mailboxes too (Gmail), only these hold messages of their own.
_RESIDENCES = {MailboxRole.ALL, MailboxRole.JUNK, MailboxRole.TRASH}


class Surveyed(Struct, frozen=True, kw_only=True):
    """The mailboxes of an account as they are now, and their counters."""

    mailboxes: list[Mailbox]
    counters: Mapping[MailboxName, StatusOf]


async def refresh_mailboxes(lease: Lease, session: Session, pool: Pool) -> Surveyed:
    """Bring our list of mailboxes up to date and return it.

    A mailbox that is not in the list is asked for by name before it is believed to be gone.
    """
    entries, counters = await session.survey()
    names = {one.path for one in entries}
    roles = _roles(entries)
    if "X-GM-EXT-1" in session.capabilities and MailboxRole.ALL in roles.values():
        entries = [one for one in entries if roles.get(one.path) in _RESIDENCES]
    listed = {one.path: one for one in entries}
    async with pool.acquire() as connection:
        known = await mailboxes.mailboxes(connection, lease.account_id)
    renamed = await _renamed(known, listed, counters, session, pool)
    missed = [
        one.raw_name
        for one in known
        if one.selectable and one.path not in names and one.mailbox_id not in renamed
    ]
    unlisted = await session.status(missed) if missed else {}

    async def work(connection: Connection) -> list[Mailbox]:
        await leases.hold(connection, lease)
        before = await mailboxes.mailboxes(connection, lease.account_id)
        owners = {renamed.get(one.mailbox_id, one.path): one for one in before}
        # A mailbox whose old name another one has now, and that is nowhere else, is gone.
        owners |= {renamed[one.mailbox_id]: one for one in before if one.mailbox_id in renamed}
        stay = {one.mailbox_id for path, one in owners.items() if path in listed}
        gone = [
            one for one in before if one.mailbox_id not in stay and one.raw_name not in unlisted
        ]
        differ = [
            now
            for path, entry in listed.items()
            if (now := _now(lease, owners.get(path), entry, roles.get(path)))
        ]
        closed = [
            one.mailbox_id
            for path, one in owners.items()
            if path in listed and one.selectable and not listed[path].selectable
        ]
        if gone or differ:
            revision = await accounts.next_revision(connection, lease.account_id)
            await _put(
                connection, lease, [_at(one, revision) for one in differ], gone, closed, revision
            )
        return await mailboxes.mailboxes(connection, lease.account_id)

    return Surveyed(mailboxes=await in_transaction(pool, work), counters={**counters, **unlisted})


async def _put(
    connection: Connection,
    lease: Lease,
    differ: Sequence[Mailbox],
    gone: Sequence[Mailbox],
    closed: Sequence[UUID],
    revision: int,
) -> None:
    """`closed`: a name that only holds other mailboxes now; messages it had are elsewhere."""
    gone_ids = [one.mailbox_id for one in gone]
    await mailboxes.put_gone(connection, gone_ids, revision)
    await mailboxes.put_aside(connection, [one.mailbox_id for one in differ])
    await mailboxes.put_mailboxes(connection, list(differ))
    for page in change_pages(
        [one.told(gone=False) for one in differ]
        + [_at(one, revision).told(gone=True) for one in gone]
    ):
        await tell(
            connection,
            MailboxesSynced(tenant_id=lease.tenant_id, account_id=lease.account_id, mailboxes=page),
        )
    adrift = await lost.unplace_mailboxes(connection, [*gone_ids, *closed], revision)
    await mailboxes.close(connection, closed)
    await tell_unplaced(connection, lease, adrift, revision)


async def _renamed(
    known: Sequence[Mailbox],
    listed: Mapping[str, ListedMailbox],
    counters: Mapping[MailboxName, StatusOf],
    session: Session,
    pool: Pool,
) -> dict[UUID, str]:
    """The new paths of mailboxes that have another name than we know them by.

    Also of two that changed names with each other: both names are there, and neither is the
    mailbox it was.
    """

    def counted(path: str) -> StatusOf | None:
        return counters.get(listed[path].raw_name) if path in listed else None

    settled = {one.path for one in known if one.path in listed and _fits(one, counted(one.path))}
    left = [path for path, entry in listed.items() if path not in settled and entry.selectable]
    renamed: dict[UUID, str] = {}
    for mailbox in known:
        if mailbox.path in settled:
            continue
        for path in left:
            status = counted(path)
            if path == mailbox.path or status is None:
                continue
            if await _is_same(mailbox, listed[path], status, session, pool):
                renamed[mailbox.mailbox_id] = path
                left.remove(path)
                break
    return renamed


def _fits(mailbox: Mailbox, status: StatusOf | None) -> bool:
    """Whether nothing speaks against this being the mailbox we know."""
    if status is None or mailbox.uidvalidity is None:
        return True
    return status.uidvalidity is None or status.uidvalidity == mailbox.uidvalidity


async def _is_same(
    mailbox: Mailbox, entry: ListedMailbox, status: StatusOf, session: Session, pool: Pool
) -> bool:
    if mailbox.server_id is None and (
        mailbox.uidvalidity is None or status.uidvalidity != mailbox.uidvalidity
    ):
        return False
    try:
        selected = await session.select(entry.raw_name, readonly=True)
    except Unavailable:
        raise
    except Refused as refused:
        log.info("new mailbox cannot be opened", error=refused.text)
        return False
    if mailbox.server_id is not None and selected.mailbox_id is not None:
        return mailbox.server_id == selected.mailbox_id
    if selected.uidvalidity != mailbox.uidvalidity:
        return False
    async with pool.acquire() as connection:
        newest = await places.newest(connection, mailbox.mailbox_id, _SAMPLE)
    if not newest:
        return not status.messages  # nothing in it, nothing to lose
    found = 0
    async for page in session.heads(sorted(newest), named=True):
        for head in page:
            looks = newest[head.uid]
            if looks.email_id is not None and head.email_id is not None:
                if looks.email_id != head.email_id:
                    return False
            elif looks.match_key is None or head.internal_date is None:
                continue
            elif looks.match_key != match_key(head.fields or b"", head.size, head.internal_date):
                return False
            found += 1
    return found > 0


def _roles(listed: Sequence[ListedMailbox]) -> dict[str, MailboxRole]:
    """What the server says; where it says nothing of a role, the name that suits it best."""
    roles = {one.path: one.role for one in listed if one.role is not None}
    taken = set(roles.values())
    for one in sorted(
        listed, key=lambda entry: (entry.path.count(entry.delimiter or "\0"), entry.path)
    ):
        if one.path in roles or not one.selectable:
            continue
        guess = role_of(one.path, one.delimiter)
        if guess is not None and guess not in taken:
            roles[one.path] = guess
            taken.add(guess)
    return roles


def _now(
    lease: Lease,
    known: Mailbox | None,
    entry: ListedMailbox,
    role: MailboxRole | None,
) -> Mailbox | None:
    """The mailbox as listed, or None when we know it so already."""
    now = Mailbox(
        mailbox_id=known.mailbox_id if known else uuid7(),
        tenant_id=lease.tenant_id,
        account_id=lease.account_id,
        path=entry.path,
        raw_name=entry.raw_name,
        delimiter=entry.delimiter,
        role=role,
        selectable=entry.selectable,
        subscribed=entry.subscribed,
        server_id=known.server_id if known else None,
        revision=known.revision if known else 0,
    )
    if known is not None and _told(known) == _told(now):
        return None
    return now


def _told(one: Mailbox) -> tuple[object, ...]:
    return (
        one.path,
        one.raw_name,
        one.delimiter,
        one.role,
        one.selectable,
        one.subscribed,
    )


def _at(mailbox: Mailbox, revision: int) -> Mailbox:
    return structs.replace(mailbox, revision=revision)

"""Which mailboxes the account has now: new ones, and old ones under whatever name.

A mailbox that is gone is remembered for a day, since a list that was made while names changed may
lack it: when it is there again it has its id again (see recognising.py).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from msgspec import Struct, structs
from uuid_utils.compat import uuid7

from services.sync.actions.comparing import tell_unplaced
from services.sync.actions.recognising import known_again
from services.sync.domain.mailbox_role import role_of
from services.sync.domain.pages import change_pages
from services.sync.imap.list import ListedMailbox
from services.sync.imap.names import MailboxName
from services.sync.imap.session import Session
from services.sync.imap.status import StatusOf
from services.sync.store import accounts, keepsakes, leases, lost, mailboxes
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.bus import tell
from shared.contracts.mail import MailboxesSynced, MailboxRole, SyncedMailbox
from shared.db import Connection, Pool, in_transaction

#: Where labels are mailboxes too (Gmail), only these hold messages of their own.
_RESIDENCES = {MailboxRole.ALL, MailboxRole.JUNK, MailboxRole.TRASH}


class Surveyed(Struct, frozen=True, kw_only=True):
    """The mailboxes of an account as they are now, and their counters."""

    mailboxes: list[Mailbox]
    counters: Mapping[MailboxName, StatusOf]


async def refresh_mailboxes(
    lease: Lease, session: Session, pool: Pool, *, sought: timedelta
) -> Surveyed:
    """Bring our list of mailboxes up to date and return it.

    A mailbox that is not in the list is asked for by name before it is believed to be gone; then
    its messages are sought for so long.
    """
    entries, counters = await session.survey()
    names = {one.path for one in entries}
    roles = _roles(entries)
    if "X-GM-EXT-1" in session.capabilities and MailboxRole.ALL in roles.values():
        entries = [one for one in entries if roles.get(one.path) in _RESIDENCES]
    listed = {one.path: one for one in entries}
    again = await known_again(lease.account_id, listed, counters, session, pool)
    elsewhere = {one.mailbox_id for one in again.values()}
    async with pool.acquire() as connection:
        known = await mailboxes.mailboxes(connection, lease.account_id)
    missed = [
        one.raw_name
        for one in known
        if one.selectable and one.path not in names and one.mailbox_id not in elsewhere
    ]
    unlisted = await session.status(missed) if missed else {}

    async def work(connection: Connection) -> list[Mailbox]:
        await leases.hold(connection, lease)
        before = await mailboxes.mailboxes(connection, lease.account_id)
        # A mailbox whose old name another one has now, and that is nowhere else, is gone.
        owners = {one.path: one for one in before if one.mailbox_id not in elsewhere} | again
        stay = {one.mailbox_id for path, one in owners.items() if path in listed}
        gone = [
            one for one in before if one.mailbox_id not in stay and one.raw_name not in unlisted
        ]
        differ = [
            now
            for path, entry in listed.items()
            if (now := _now(lease, owners.get(path), entry, roles.get(path)))
        ]
        there = [(one, listed[path]) for path, one in owners.items() if path in listed]
        closed = [
            one.mailbox_id
            for one, entry in there
            if one.gone_at is None and one.selectable and not entry.selectable
        ]
        returned = [
            one.mailbox_id
            for one, entry in there
            if entry.selectable and (one.gone_at is not None or not one.selectable)
        ]
        if gone or differ:
            revision = await accounts.next_revision(connection, lease.account_id)
            await _put_gone(connection, lease, gone, closed, revision, sought)
            await _put(connection, lease, [_at(one, revision) for one in differ], returned)
        return await mailboxes.mailboxes(connection, lease.account_id)

    return Surveyed(mailboxes=await in_transaction(pool, work), counters={**counters, **unlisted})


async def _put_gone(
    connection: Connection,
    lease: Lease,
    gone: Sequence[Mailbox],
    closed: Sequence[UUID],
    revision: int,
    sought: timedelta,
) -> None:
    """`closed`: a name that only holds other mailboxes now; messages it had are elsewhere."""
    gone_ids = [one.mailbox_id for one in gone]
    empty = [*gone_ids, *closed]
    await keepsakes.take(connection, empty)
    await mailboxes.put_gone(connection, gone_ids, revision)
    await _tell(connection, lease, [_at(one, revision).told(gone=True) for one in gone])
    adrift = await lost.unplace_mailboxes(connection, empty, revision, sought)
    await tell_unplaced(connection, lease, adrift, revision)


async def _put(
    connection: Connection, lease: Lease, differ: Sequence[Mailbox], returned: Sequence[UUID]
) -> None:
    """`returned`: these hold messages again."""
    await mailboxes.put_aside(connection, [one.mailbox_id for one in differ])
    await mailboxes.put_mailboxes(connection, list(differ))
    await mailboxes.begin_anew(connection, returned)
    await keepsakes.give_up(connection, returned)
    await _tell(connection, lease, [one.told(gone=False) for one in differ])


async def _tell(connection: Connection, lease: Lease, told: Sequence[SyncedMailbox]) -> None:
    for page in change_pages(told):
        await tell(
            connection,
            MailboxesSynced(tenant_id=lease.tenant_id, account_id=lease.account_id, mailboxes=page),
        )


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
        one.gone_at,
    )


def _at(mailbox: Mailbox, revision: int) -> Mailbox:
    return structs.replace(mailbox, revision=revision)

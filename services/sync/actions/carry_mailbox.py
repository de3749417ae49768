"""Make, rename, remove or subscribe to a mailbox on the server, and know it so."""

from msgspec import structs

from services.sync.domain.mailbox_role import role_of
from services.sync.imap.names import encode_name
from services.sync.imap.session import Session
from services.sync.store import accounts, leases, mailboxes
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.bus import tell
from shared.contracts.intent import (
    CreateMailbox,
    DeleteMailbox,
    MailboxChange,
    RenameMailbox,
    SubscribeMailbox,
)
from shared.contracts.mail import MailboxesSynced, MailboxRole
from shared.db import Connection, Pool, in_transaction


class NoSuch(Exception):
    """The mailbox is not there any more."""


async def carry_mailbox(lease: Lease, change: MailboxChange, session: Session, pool: Pool) -> None:
    """Let the server have it so; the next survey finds the rest. Raises NoSuch, Refused.

    Done before, by us or by somebody else, it is done.
    """
    async with pool.acquire() as connection:
        there = await mailboxes.mailboxes(connection, lease.account_id)
    known = next((one for one in there if one.mailbox_id == change.mailbox_id), None)
    match change:
        case CreateMailbox(path=path):
            if known is not None:
                return
            name = encode_name(path)
            if name not in await session.status([name]):
                await session.create(name)
            await session.subscribe(name)
            delimiter = next((one.delimiter for one in there if one.delimiter), None)
            new = Mailbox(
                mailbox_id=change.mailbox_id,
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                path=path,
                raw_name=name,
                delimiter=delimiter,
                role=_free_role(path, delimiter, there),
                selectable=True,
                revision=0,
            )
            if all(one.path != path for one in there):
                await _put(lease, [new], pool)
        case RenameMailbox(path=path):
            if known is None:
                raise NoSuch
            if known.path == path:
                return
            await session.rename(known.raw_name, encode_name(path))
            await _put(lease, _renamed(known, path, there), pool)
        case DeleteMailbox():
            if known is None:
                return
            if session.selected is not None:
                await session.select(b"INBOX", readonly=True)  # nobody removes what is open
            await session.delete(known.raw_name)
            await session.unsubscribe(known.raw_name)
        case SubscribeMailbox(subscribed=subscribed):
            if known is None:
                raise NoSuch
            say = session.subscribe if subscribed else session.unsubscribe
            await say(known.raw_name)
            if known.subscribed is not subscribed:
                await _put(lease, [structs.replace(known, subscribed=subscribed)], pool)


def _renamed(known: Mailbox, path: str, there: list[Mailbox]) -> list[Mailbox]:
    """The mailbox and those in it, which go with it (RFC 9051 §6.3.6)."""
    renamed = [structs.replace(known, path=path, raw_name=encode_name(path))]
    if known.delimiter:
        above = known.path + known.delimiter
        for one in there:
            if one.path.startswith(above):
                new = path + known.delimiter + one.path.removeprefix(above)
                renamed.append(structs.replace(one, path=new, raw_name=encode_name(new)))
    return renamed


def _free_role(path: str, delimiter: str | None, there: list[Mailbox]) -> MailboxRole | None:
    role = role_of(path, delimiter)
    return role if all(one.role is not role for one in there) else None


async def _put(lease: Lease, now: list[Mailbox], pool: Pool) -> None:
    async def work(connection: Connection) -> None:
        await leases.hold(connection, lease)
        revision = await accounts.next_revision(connection, lease.account_id)
        put = [structs.replace(one, revision=revision) for one in now]
        await mailboxes.put_aside(connection, [one.mailbox_id for one in put])
        await mailboxes.put_mailboxes(connection, put)
        await tell(
            connection,
            MailboxesSynced(
                tenant_id=lease.tenant_id,
                account_id=lease.account_id,
                mailboxes=tuple(one.told(gone=False) for one in put),
            ),
        )

    await in_transaction(pool, work)

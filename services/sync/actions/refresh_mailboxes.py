"""Which mailboxes the account has now."""

from msgspec import structs
from uuid_utils.compat import uuid7

from services.sync.domain.mailbox_role import role_of
from services.sync.domain.pages import change_pages
from services.sync.imap.list import ListedMailbox
from services.sync.imap.session import Session
from services.sync.store import accounts, leases, mailboxes, messages
from services.sync.store.leases import Lease
from services.sync.store.mailboxes import Mailbox
from shared.bus import tell
from shared.contracts.mail import (
    ChangedMessage,
    ChangeReason,
    MailboxesSynced,
    MailboxRole,
    MessagesChanged,
    State,
)
from shared.db import Connection, Pool, in_transaction


async def refresh_mailboxes(lease: Lease, session: Session, pool: Pool) -> list[Mailbox]:
    """Bring our list of mailboxes up to date and return it."""
    listed = {mailbox.path: mailbox for mailbox in await session.list_mailboxes()}
    roles = _roles(list(listed.values()))

    async def work(connection: Connection) -> list[Mailbox]:
        await leases.hold(connection, lease)
        known = {one.path: one for one in await mailboxes.mailboxes(connection, lease.account_id)}
        gone = [mailbox for path, mailbox in known.items() if path not in listed]
        changed = [
            one
            for path, entry in listed.items()
            if (one := _now(lease, known.get(path), entry, roles.get(path))) is not None
        ]
        if gone or changed:
            revision = await accounts.next_revision(connection, lease.account_id)
            changed = [_at(one, revision) for one in changed]
            await mailboxes.put_mailboxes(connection, changed)
            await mailboxes.put_gone(connection, [one.mailbox_id for one in gone], revision)
            gone_messages = await messages.unplace_mailboxes(
                connection, [one.mailbox_id for one in gone], revision
            )
            for page in change_pages(
                [one.told(gone=False) for one in changed]
                + [_at(one, revision).told(gone=True) for one in gone]
            ):
                await tell(
                    connection,
                    MailboxesSynced(
                        tenant_id=lease.tenant_id, account_id=lease.account_id, mailboxes=page
                    ),
                )
            for page in change_pages(
                [
                    ChangedMessage(
                        message_id=message_id,
                        revision=revision,
                        state=State(mailbox_id=None, keywords=keywords, thread_id=thread_id),
                        reasons=frozenset({ChangeReason.MOVED}),
                    )
                    for message_id, keywords, thread_id in gone_messages
                ]
            ):
                await tell(
                    connection,
                    MessagesChanged(
                        tenant_id=lease.tenant_id, account_id=lease.account_id, messages=page
                    ),
                )
        return await mailboxes.mailboxes(connection, lease.account_id)

    return await in_transaction(pool, work)


def _roles(listed: list[ListedMailbox]) -> dict[str, MailboxRole]:
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
    lease: Lease, known: Mailbox | None, entry: ListedMailbox, role: MailboxRole | None
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
        revision=known.revision if known else 0,
    )
    if known is not None and (
        (known.raw_name, known.delimiter, known.role, known.selectable)
        == (now.raw_name, now.delimiter, now.role, now.selectable)
    ):
        return None
    return now


def _at(mailbox: Mailbox, revision: int) -> Mailbox:
    return structs.replace(mailbox, revision=revision)

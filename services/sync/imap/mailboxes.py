"""Making, renaming, removing and subscribing to mailboxes (RFC 9051 §6.3.4 to §6.3.8)."""

from __future__ import annotations

from services.sync.imap.names import MailboxName, name_argument
from services.sync.imap.wire import Wire


async def create(wire: Wire, mailbox: MailboxName) -> None:
    """Make a mailbox, and those above it where the server sees fit."""
    await _say(wire, "CREATE", mailbox)


async def rename(wire: Wire, mailbox: MailboxName, to: MailboxName) -> None:
    """Give a mailbox another name; those in it go with it."""
    await _say(wire, "RENAME", mailbox, to)


async def delete(wire: Wire, mailbox: MailboxName) -> None:
    """Remove a mailbox with all that is in it."""
    await _say(wire, "DELETE", mailbox)


async def subscribe(wire: Wire, mailbox: MailboxName) -> None:
    """Let the mailbox be among those that the account's owner wants to see."""
    await _say(wire, "SUBSCRIBE", mailbox)


async def unsubscribe(wire: Wire, mailbox: MailboxName) -> None:
    """Let it be so no longer."""
    await _say(wire, "UNSUBSCRIBE", mailbox)


async def _say(wire: Wire, command: str, *mailboxes: MailboxName) -> None:
    async with wire.exchange() as exchange:
        await exchange.send(command, *(name_argument(one, wire.spelling) for one in mailboxes))
        await exchange.finish()

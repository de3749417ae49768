"""Intents: changes that people asked for, carried to the mail server and settled there.

The api numbers the intents of an account; sync carries them out in that order and tells of each,
exactly once, what became of it. The server's word counts: whatever it says of a message afterwards
is in the state that is told with it.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.envelope import Command, Event, OpenEnum
from shared.contracts.mail import ChangedMessage, VanishedMessage

INTENT_MESSAGES = 500  # at most, in one intent


class Mark(Struct, frozen=True, kw_only=True, tag="mark"):
    """Mark messages by keywords, or no longer (RFC 9051 §2.3.2)."""

    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


class Label(Struct, frozen=True, kw_only=True, tag="label"):
    """Give messages labels, or take them away, where the server has labels (Gmail)."""

    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


class Move(Struct, frozen=True, kw_only=True, tag="move"):
    """Move messages to another mailbox; they keep their ids."""

    mailbox_id: UUID


class Copy(Struct, frozen=True, kw_only=True, tag="copy"):
    """Copy messages into a mailbox; the copies are new messages."""

    mailbox_id: UUID


class Destroy(Struct, frozen=True, kw_only=True, tag="destroy"):
    """Remove messages from the server for good."""


MessageChange = Mark | Label | Move | Copy | Destroy


class Step(Struct, frozen=True, kw_only=True):
    """One change to some messages."""

    change: MessageChange
    message_ids: tuple[UUID, ...]


class CreateMailbox(Struct, frozen=True, kw_only=True, tag="create"):
    """Make a mailbox, which gets this id."""

    mailbox_id: UUID
    path: str


class RenameMailbox(Struct, frozen=True, kw_only=True, tag="rename"):
    """Give a mailbox, and those in it, another path."""

    mailbox_id: UUID
    path: str


class DeleteMailbox(Struct, frozen=True, kw_only=True, tag="delete"):
    """Remove a mailbox with all that is in it."""

    mailbox_id: UUID


class SubscribeMailbox(Struct, frozen=True, kw_only=True, tag="subscribe"):
    """Subscribe to a mailbox, or no longer (RFC 9051 §6.3.7)."""

    mailbox_id: UUID
    subscribed: bool


MailboxChange = CreateMailbox | RenameMailbox | DeleteMailbox | SubscribeMailbox


class CarryIntent(Command, frozen=True, kw_only=True):
    """Carry this out on the account's server, after the intents before it; once."""

    channel: ClassVar[str] = "sync.intent.carry"

    account_id: UUID
    intent_id: UUID
    seq: int  # of the account's intents, from 1, without gaps
    steps: tuple[Step, ...] = ()  # one after the other
    mailbox: MailboxChange | None = None
    # Of an intent that was not begun yet, nothing is done, nor of this one.
    undoes: UUID | None = None
    not_before: datetime | None = None  # what cannot be undone waits, so that it can be


class Outcome(OpenEnum):
    """What became of an intent, or of one message in it."""

    DONE = "done"
    REFUSED = "refused"  # by the server, or it cannot be
    SUPERSEDED = "superseded"  # the server was changed meanwhile, and that counts
    CANCELED = "canceled"  # undone before it was begun
    OTHER = "other"


class Exempt(Struct, frozen=True, kw_only=True):
    """A message for which an intent was not carried out, or not wholly, and why."""

    message_id: UUID
    outcome: Outcome
    reason: str  # stable code


class IntentSettled(Event, frozen=True, kw_only=True):
    """An intent has come to its end; each message it touched is as told here."""

    channel: ClassVar[str] = "mail.intent.settled"

    account_id: UUID
    intent_id: UUID
    outcome: Outcome  # of those messages that are not exempt
    reason: str | None = None  # stable code
    server_said: str | None = None
    messages: tuple[ChangedMessage, ...] = ()
    vanished: tuple[VanishedMessage, ...] = ()
    exempt: tuple[Exempt, ...] = ()

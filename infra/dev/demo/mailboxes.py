"""Mailboxes as pymap's IMAP speaks of them, kept in `storage`.

pymap brings a store in memory and one in maildirs. The first forgets; the second rewrites messages
as it stores them and looks for new mail once a second. This one keeps the bytes, and wakes IDLE at
once.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pymap.backend.mailbox import MailboxDataInterface, MailboxSetInterface
from pymap.concurrent import Event
from pymap.context import subsystem
from pymap.exceptions import NotSupportedError
from pymap.flags import FlagOp
from pymap.interfaces.message import CachedMessage
from pymap.listtree import ListEntry, ListTree
from pymap.mailbox import MailboxSnapshot
from pymap.message import BaseLoadedMessage, BaseMessage
from pymap.mime import MessageContent
from pymap.parsing.message import AppendMessage
from pymap.parsing.response.fetch import EnvelopeStructure
from pymap.parsing.specials import FetchRequirement, ObjectId
from pymap.parsing.specials.flag import Flag, Seen
from pymap.selected import SelectedMailbox, SelectedSet

from infra.dev.demo.storage import MailboxRow, MessageRow, Storage

INBOX = "INBOX"
# Said in LIST (RFC 6154 §2), so that a client need not guess by name.
SPECIAL_USE = {
    "Archive": b"Archive",
    "Drafts": b"Drafts",
    "Junk": b"Junk",
    "Sent": b"Sent",
    "Trash": b"Trash",
}


class StoredMessage(BaseMessage):
    """A message whose bytes stay on disk until somebody asks for them."""

    def __init__(
        self, row: MessageRow, mailbox: "StoredMailbox", *, recent: bool, expunged: bool = False
    ) -> None:
        super().__init__(
            row.uid,
            row.received_at,
            [Flag(flag) for flag in row.flags],
            email_id=ObjectId(row.email_id.encode()),
            expunged=expunged,
        )
        self.recent = recent
        self._mailbox = mailbox

    @property
    def row(self) -> MessageRow:
        return MessageRow(
            uid=self.uid,
            email_id=self.email_id.value.decode(),
            received_at=self.internal_date,
            flags=frozenset(str(flag) for flag in self.permanent_flags),
        )

    async def load_content(self, requirement: FetchRequirement) -> "LoadedMessage":
        if requirement.has_none(FetchRequirement.CONTENT):
            return LoadedMessage(self, requirement, None)
        raw = self._mailbox.raw(self.uid)
        content = None if raw is None else MessageContent.parse(raw)
        return LoadedMessage(self, requirement, content)


class LoadedMessage(BaseLoadedMessage):
    """A message with its content."""

    def get_envelope_structure(self) -> EnvelopeStructure:
        envelope = super().get_envelope_structure()
        try:
            bytes(envelope)
        except (AttributeError, ValueError):
            # pymap stumbles over dates and senders that are none.
            return EnvelopeStructure.empty()
        return envelope


class StoredMailbox(MailboxDataInterface[StoredMessage]):
    """One mailbox: its messages in order, who has it open, and the event that wakes IDLE."""

    def __init__(self, row: MailboxRow, storage: Storage) -> None:
        self.name = row.name
        self.subscribed = row.subscribed
        self.id = row.id
        self._uid_validity = row.uid_validity
        self._next_uid = row.next_uid
        self._storage = storage
        self._messages = {
            each.uid: StoredMessage(each, self, recent=False) for each in storage.messages(row.id)
        }
        self._selected_set = SelectedSet()
        self._changed = subsystem.get().new_event()

    @property
    def mailbox_id(self) -> ObjectId:
        return ObjectId(self.id.encode())

    @property
    def readonly(self) -> bool:
        return False

    @property
    def uid_validity(self) -> int:
        return self._uid_validity

    @property
    def selected_set(self) -> SelectedSet:
        return self._selected_set

    def raw(self, uid: int) -> bytes | None:
        return self._storage.raw(self.id, uid)

    async def update_selected(
        self, selected: SelectedMailbox, *, wait_on: Event | None = None
    ) -> SelectedMailbox:
        if wait_on is not None:
            await wait_on.or_event(self._changed).wait()
        selected.set_messages(list(self._messages.values()))
        return selected

    async def append(self, append_msg: AppendMessage, *, recent: bool = False) -> StoredMessage:
        row = MessageRow(
            uid=self._next_uid,
            email_id="M" + hashlib.blake2b(append_msg.literal, digest_size=16).hexdigest(),
            received_at=(append_msg.when or datetime.now(UTC)).astimezone(UTC),
            flags=frozenset(str(flag) for flag in append_msg.flag_set & self.permanent_flags),
        )
        with self._storage.transaction():
            self._storage.add_message(self.id, row, append_msg.literal)
        return self._take(row, recent=recent)

    # pymap types the destination as any mailbox of the same kind; ours is the only kind here.
    async def copy(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, uid: int, destination: "StoredMailbox", *, recent: bool = False
    ) -> int | None:
        return self._copy(uid, destination, recent=recent, keep=True)

    async def move(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, uid: int, destination: "StoredMailbox", *, recent: bool = False
    ) -> int | None:
        return self._copy(uid, destination, recent=recent, keep=False)

    async def get(self, uid: int, cached_msg: CachedMessage) -> StoredMessage:
        message = self._messages.get(uid)
        if message is None:  # Gone, but this session has not been told yet.
            assert isinstance(cached_msg, StoredMessage)
            return StoredMessage(cached_msg.row, self, recent=False, expunged=True)
        return message

    async def update(
        self, uid: int, cached_msg: CachedMessage, flag_set: frozenset[Flag], mode: FlagOp
    ) -> StoredMessage:
        message = await self.get(uid, cached_msg)
        message.permanent_flags = mode.apply(message.permanent_flags, flag_set)
        with self._storage.transaction():
            self._storage.set_flags(self.id, uid, message.row.flags)
        self._changed.set()
        return message

    async def delete(self, uids: Iterable[int]) -> None:
        gone = list(uids)
        with self._storage.transaction():
            self._storage.delete_messages(self.id, gone)
        for uid in gone:
            self._messages.pop(uid, None)
        self._changed.set()

    async def claim_recent(self, selected: SelectedMailbox) -> None:
        for message in self._messages.values():
            if message.recent:
                message.recent = False
                selected.session_flags.add_recent(message.uid)

    async def cleanup(self) -> None:
        """Nothing waits to be tidied."""

    async def snapshot(self) -> MailboxSnapshot:
        messages = list(self._messages.values())
        unseen = [n for n, each in enumerate(messages, 1) if Seen not in each.permanent_flags]
        return MailboxSnapshot(
            self.mailbox_id,
            self.readonly,
            self.uid_validity,
            self.permanent_flags,
            self.session_flags,
            len(messages),
            sum(each.recent for each in messages),
            len(unseen),
            unseen[0] if unseen else None,
            self._next_uid,
        )

    def _copy(
        self, uid: int, destination: "StoredMailbox", *, recent: bool, keep: bool
    ) -> int | None:
        message = self._messages.get(uid)
        if message is None:
            return None
        row = replace(message.row, uid=destination.next_uid)
        with self._storage.transaction():
            self._storage.copy_message(self.id, uid, destination.id, row.uid)
            if not keep:
                self._storage.delete_messages(self.id, [uid])
        destination._take(row, recent=recent)
        if not keep:
            del self._messages[uid]
            self._changed.set()
        return row.uid

    @property
    def next_uid(self) -> int:
        return self._next_uid

    def _take(self, row: MessageRow, *, recent: bool) -> StoredMessage:
        message = StoredMessage(row, self, recent=recent)
        self._messages[row.uid] = message
        self._next_uid = row.uid + 1
        self._changed.set()
        return message


class StoredMailboxes(MailboxSetInterface[StoredMailbox]):
    """All mailboxes of one user."""

    def __init__(self, owner: str, storage: Storage) -> None:
        self._owner = owner
        self._storage = storage
        self._mailboxes = {
            row.name: StoredMailbox(row, storage) for row in storage.mailboxes(owner)
        }
        if INBOX not in self._mailboxes:
            self._add(INBOX)

    @property
    def delimiter(self) -> str:
        return "/"

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        mailbox = self._mailboxes.get(_canonical(name))
        if mailbox is not None:
            with self._storage.transaction():
                self._storage.set_subscribed(mailbox.id, subscribed)
            mailbox.subscribed = subscribed

    async def list_subscribed(self) -> ListTree:
        names = [each.name for each in self._mailboxes.values() if each.subscribed]
        return SpecialUseTree(self.delimiter).update(*names)

    async def list_mailboxes(self) -> ListTree:
        return SpecialUseTree(self.delimiter).update(*self._mailboxes)

    async def get_mailbox(self, name: str) -> StoredMailbox:
        return self._mailboxes[_canonical(name)]

    async def add_mailbox(self, name: str) -> ObjectId:
        if _canonical(name) in self._mailboxes:
            raise ValueError(name)
        return self._add(name).mailbox_id

    async def delete_mailbox(self, name: str) -> None:
        if _canonical(name) == INBOX:
            raise NotSupportedError("INBOX stays.")
        mailbox = self._mailboxes[name]
        with self._storage.transaction():
            self._storage.delete_mailbox(mailbox.id)
        del self._mailboxes[name]

    async def rename_mailbox(self, before: str, after: str) -> None:
        if _canonical(before) == INBOX:
            raise NotSupportedError("INBOX keeps its name.")
        tree = ListTree(self.delimiter).update(*self._mailboxes)
        if tree.get(before) is None:
            raise KeyError(before)
        if tree.get(after) is not None:
            raise ValueError(after)
        renamed = tree.get_renames(before, after)
        with self._storage.transaction():
            for old, new in renamed:
                self._storage.rename_mailbox(self._mailboxes[old].id, new)
        for old, new in renamed:
            mailbox = self._mailboxes.pop(old)
            mailbox.name = new
            self._mailboxes[new] = mailbox

    def _add(self, name: str) -> StoredMailbox:
        row = MailboxRow(
            id=ObjectId.random_mailbox_id().value.decode(),
            name=name,
            uid_validity=MailboxSnapshot.new_uid_validity(),
            next_uid=1,
            subscribed=True,
        )
        with self._storage.transaction():
            self._storage.add_mailbox(self._owner, row)
        self._mailboxes[name] = StoredMailbox(row, self._storage)
        return self._mailboxes[name]


class SpecialUseTree(ListTree):
    """The mailboxes with what each is for."""

    def list_matching(self, ref_name: str, filter_: str) -> Iterable[ListEntry]:
        for entry in super().list_matching(ref_name, filter_):
            yield SpecialUseEntry(entry.name, entry.exists, entry.marked, entry.has_children)


class SpecialUseEntry(ListEntry):
    """A line of LIST."""

    @property
    def attributes(self) -> Sequence[bytes]:
        special = SPECIAL_USE.get(self.name)
        return [*super().attributes, *([special] if special else [])]


def _canonical(name: str) -> str:
    """INBOX is written in any case (RFC 9051 §5.1)."""
    return INBOX if name.upper() == INBOX else name

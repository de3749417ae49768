"""Which mailbox is read first."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from shared.contracts.mail import MailboxRole

# What a person looks at first; the rest follows by name. Trash and junk come last.
_FIRST = (
    MailboxRole.INBOX,
    MailboxRole.SENT,
    MailboxRole.DRAFTS,
    MailboxRole.FLAGGED,
    MailboxRole.ARCHIVE,
    MailboxRole.ALL,
)
_LAST = (MailboxRole.TRASH, MailboxRole.JUNK)


class _Mailbox(Protocol):
    @property
    def role(self) -> MailboxRole | None: ...
    @property
    def path(self) -> str: ...


M = TypeVar("M", bound=_Mailbox)


def reading_order(mailboxes: Iterable[M]) -> list[M]:
    """INBOX first, then mailboxes with a role, then the others, then trash and junk."""

    def rank(mailbox: M) -> tuple[int, str]:
        if mailbox.role in _FIRST:
            return _FIRST.index(mailbox.role), mailbox.path
        if mailbox.role in _LAST:
            return 100 + _LAST.index(mailbox.role), mailbox.path
        return 50, mailbox.path

    return sorted(mailboxes, key=rank)

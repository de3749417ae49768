"""Copies of what is being written, in the account's mailbox for drafts."""

from typing import ClassVar
from uuid import UUID

from shared.contracts.envelope import Command
from shared.contracts.submission import SendMessage


class KeepDraft(Command, frozen=True, kw_only=True):
    """Let there be one copy of this draft in the mailbox for drafts, of this version; or none."""

    channel: ClassVar[str] = "sync.draft.keep"

    account_id: UUID
    draft_id: UUID
    version: int  # a higher one replaces a lower one
    message: SendMessage | None = None  # None: it was sent, or thrown away

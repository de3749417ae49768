"""What sync and sender would say, for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.account import AccountChanged, AccountState
from shared.contracts.mail import (
    Address,
    Arrival,
    ChangedMessage,
    ChangeReason,
    Content,
    MailboxesSynced,
    MailboxRole,
    MessagesChanged,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
    State,
    SyncedMailbox,
    SyncedMessage,
    VanishedMessage,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Ground:
    """One account of one tenant, as sync knows it."""

    def __init__(self, tenant_id: UUID, account_id: UUID) -> None:
        self.tenant_id = tenant_id
        self.account_id = account_id
        self.inbox = uuid7()
        self.archive = uuid7()

    @property
    def _whose(self) -> dict[str, UUID]:
        return {"tenant_id": self.tenant_id, "account_id": self.account_id}

    def mailboxes(
        self, revision: int = 1, *, retold: bool = False, inbox_role: MailboxRole | None = None
    ) -> MailboxesSynced:
        return MailboxesSynced(
            **self._whose,
            retold=retold,
            mailboxes=(
                SyncedMailbox(
                    mailbox_id=self.inbox,
                    revision=revision,
                    path="INBOX",
                    name="INBOX",
                    delimiter="/",
                    role=inbox_role,
                ),
                SyncedMailbox(
                    mailbox_id=self.archive,
                    revision=revision,
                    path="Archive",
                    name="Archive",
                    delimiter="/",
                    role=None,
                ),
            ),
        )

    def state(
        self, mailbox_id: UUID | None = None, *keywords: str, labels: tuple[str, ...] = ()
    ) -> State:
        return State(
            mailbox_id=mailbox_id or self.inbox,
            keywords=frozenset(keywords),
            thread_id=UUID(int=7),
            labels=frozenset(labels),
        )

    def message(
        self,
        subject: str = "Lunch",
        *,
        message_id: UUID | None = None,
        revision: int = 1,
        arrival: Arrival = Arrival.NEW,
        state: State | None = None,
        minutes: int = 0,
        **content: Any,
    ) -> SyncedMessage:
        return SyncedMessage(
            message_id=message_id or uuid7(),
            revision=revision,
            arrival=arrival,
            content_id=b"content",
            content=Content(
                **{
                    "subject": subject,
                    "sender": Address("Ada", "ada@example.org"),
                    "to": (Address("", "grace@example.org"),),
                    "received_at": NOON + timedelta(minutes=minutes),
                    "size_bytes": 100,
                    "preview": "Shall we?",
                    **content,
                }
            ),
            state=state or self.state(),
        )

    def page(self, *messages: SyncedMessage) -> MessagesSynced:
        return MessagesSynced(**self._whose, messages=messages)

    def retold(
        self, *messages: SyncedMessage, as_of: int, generation: UUID | None = None, page: int = 0
    ) -> MessagesRetold:
        return MessagesRetold(
            **self._whose,
            listener="api",
            generation=generation or uuid7(),
            page=page,
            as_of_revision=as_of,
            messages=messages,
        )

    def changed(self, message_id: UUID, revision: int, state: State) -> MessagesChanged:
        return MessagesChanged(
            **self._whose,
            messages=(
                ChangedMessage(
                    message_id=message_id,
                    revision=revision,
                    state=state,
                    reasons=frozenset({ChangeReason.KEYWORDS}),
                ),
            ),
        )

    def vanished(self, message_id: UUID, revision: int) -> MessagesVanished:
        return MessagesVanished(
            **self._whose,
            messages=(VanishedMessage(message_id=message_id, revision=revision),),
        )

    def is_in(self, state: AccountState, revision: int) -> AccountChanged:
        return AccountChanged(**self._whose, revision=revision, state=state)

"""Messages and facts about them, as sync tells them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.account import AccountRemoved, AccountRetold
from shared.contracts.content import Invitation
from shared.contracts.mail import (
    Address,
    Arrival,
    Attachment,
    ChangedMessage,
    ChangeReason,
    Content,
    MessagesChanged,
    MessagesFilled,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
    State,
    SyncedMessage,
    VanishedMessage,
)

TENANT = UUID("0190a000-0000-7000-8000-000000000001")
ACCOUNT = UUID("0190a000-0000-7000-8000-00000000000a")
MAILBOX = UUID("0190a000-0000-7000-8000-0000000000b1")
THREAD = UUID("0190a000-0000-7000-8000-0000000000c1")
BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_person(text: str) -> Address:
    name, _, email = text.rpartition(" ")
    return Address(name, email.strip("<>"))


def a_message(
    subject: str = "",
    text: str = "",
    *,
    sender: str | None = "Ann Example <ann@example.com>",
    to: Sequence[str] = (),
    cc: Sequence[str] = (),
    bcc: Sequence[str] = (),
    files: Sequence[str] = (),
    keywords: Iterable[str] = (),
    minutes: float = 0,
    revision: int = 1,
    size_bytes: int = 1000,
    mailbox_id: UUID | None = MAILBOX,
    message_id: UUID | None = None,
    header_id: str | None = None,
    list_id: str | None = None,
    thread_id: UUID = THREAD,
    labels: Iterable[str] = (),
    types: Sequence[str] = (),
    invitation: Invitation | None = None,
    text_is_cut: bool = False,
) -> SyncedMessage:
    return SyncedMessage(
        message_id=message_id or uuid7(),
        revision=revision,
        arrival=Arrival.NEW,
        content_id=b"content",
        content=Content(
            subject=subject,
            sender=a_person(sender) if sender else None,
            to=tuple(map(a_person, to)),
            cc=tuple(map(a_person, cc)),
            bcc=tuple(map(a_person, bcc)),
            message_id=header_id,
            received_at=BEGINNING + timedelta(minutes=minutes),
            size_bytes=size_bytes,
            preview=text[:200],
            text=text,
            list_id=list_id,
            attachments=tuple(
                Attachment(number=n, name=name, content_type=kind, size_bytes=1)
                for n, (name, kind) in enumerate(
                    zip_longest(files, types, fillvalue="application/octet-stream"), 1
                )
            ),
            invitation=invitation,
            text_is_cut=text_is_cut,
        ),
        state=a_state(keywords, mailbox_id, thread_id, labels),
    )


def a_state(
    keywords: Iterable[str] = (),
    mailbox_id: UUID | None = MAILBOX,
    thread_id: UUID = THREAD,
    labels: Iterable[str] = (),
) -> State:
    return State(
        mailbox_id=mailbox_id,
        keywords=frozenset(keywords),
        thread_id=thread_id,
        labels=frozenset(labels),
    )


def a_page(
    *messages: SyncedMessage, account: UUID = ACCOUNT, tenant: UUID = TENANT
) -> MessagesSynced:
    return MessagesSynced(tenant_id=tenant, account_id=account, messages=messages)


def a_filled_page(
    *messages: SyncedMessage, account: UUID = ACCOUNT, tenant: UUID = TENANT
) -> MessagesFilled:
    """The same, of a first sync."""
    return MessagesFilled(tenant_id=tenant, account_id=account, messages=messages)


def a_change(
    message_id: UUID,
    revision: int,
    keywords: Iterable[str] = (),
    mailbox_id: UUID | None = MAILBOX,
    account: UUID = ACCOUNT,
) -> MessagesChanged:
    return MessagesChanged(
        tenant_id=TENANT,
        account_id=account,
        messages=(
            ChangedMessage(
                message_id=message_id,
                revision=revision,
                state=a_state(keywords, mailbox_id),
                reasons=frozenset([ChangeReason.KEYWORDS]),
            ),
        ),
    )


def gone(message_id: UUID, revision: int, account: UUID = ACCOUNT) -> MessagesVanished:
    return MessagesVanished(
        tenant_id=TENANT,
        account_id=account,
        occurred_at=BEGINNING,
        messages=(VanishedMessage(message_id=message_id, revision=revision),),
    )


def a_retold_page(
    generation: UUID,
    page: int,
    as_of_revision: int,
    *messages: SyncedMessage,
    listener: str = "indexer",
    account: UUID = ACCOUNT,
) -> MessagesRetold:
    return MessagesRetold(
        tenant_id=TENANT,
        account_id=account,
        listener=listener,
        generation=generation,
        page=page,
        as_of_revision=as_of_revision,
        messages=messages,
    )


def retold(
    generation: UUID,
    as_of_revision: int,
    pages: int,
    *,
    listener: str = "indexer",
    account: UUID = ACCOUNT,
) -> AccountRetold:
    return AccountRetold(
        tenant_id=TENANT,
        account_id=account,
        listener=listener,
        generation=generation,
        as_of_revision=as_of_revision,
        pages=pages,
    )


def removed(account: UUID = ACCOUNT, tenant: UUID = TENANT) -> AccountRemoved:
    return AccountRemoved(tenant_id=tenant, account_id=account, revision=10**6)

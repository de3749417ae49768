"""What a batch of pages says of each message, reduced to one row per message.

The three facets (content, state, existence) are merged the same way here, within a batch, as in
the store against what is known: content comes once, state follows the newest word of it, and a
retell speaks for every revision up to the one as of which it is true.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from services.indexer.domain.document import Kept, label_of
from shared.contracts.mail import (
    Content,
    MessagesChanged,
    MessagesRetold,
    MessagesSynced,
    MessagesVanished,
    State,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose rows these are."""

    account_id: UUID
    tenant_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A message as it was told: its state, and its content where that was told too."""

    message_id: UUID
    account: Account
    revision: int
    alive_as_of: int | None  # a retell named it, true as of this revision
    state: State
    content: Content | None

    @property
    def speaks_for(self) -> int:
        """The newest revision that this says something about."""
        return self.revision if self.alive_as_of is None else self.alive_as_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """The content of a message, as rows hold it."""

    message_id: UUID
    account: Account
    received_at: datetime
    size_bytes: int
    kept: Kept
    tsvector: bytes  # as PostgreSQL sends it
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A message that vanished."""

    message_id: UUID
    account: Account
    revision: int
    vanished_at: datetime


def told_by_pages(pages: Iterable[MessagesSynced | MessagesRetold]) -> list[Told]:
    """One row per message, sorted by id."""
    told = (
        Told(
            message_id=message.message_id,
            account=account_of(page),
            revision=message.revision,
            alive_as_of=max(page.as_of_revision, message.revision)
            if isinstance(page, MessagesRetold)
            else None,
            state=message.state,
            content=message.content,
        )
        for page in pages
        for message in page.messages
    )
    return _reduced(told)


def told_by_changes(changes: Iterable[MessagesChanged]) -> list[Told]:
    """One row per message, sorted by id."""
    told = (
        Told(
            message_id=message.message_id,
            account=account_of(page),
            revision=message.revision,
            alive_as_of=None,
            state=message.state,
            content=None,
        )
        for page in changes
        for message in page.messages
    )
    return _reduced(told)


def gone_by(pages: Iterable[MessagesVanished]) -> list[Gone]:
    """One row per message, sorted by id; the newest vanishing stands."""
    newest: dict[UUID, Gone] = {}
    for page in pages:
        for message in page.messages:
            known = newest.get(message.message_id)
            if known is None or known.revision < message.revision:
                newest[message.message_id] = Gone(
                    message_id=message.message_id,
                    account=account_of(page),
                    revision=message.revision,
                    vanished_at=_storable(page.occurred_at),
                )
    return sorted(newest.values(), key=lambda gone: gone.message_id)


def readable(
    told: Told, content: Content, kept: Kept, *, tsvector: bytes, is_whole: bool
) -> Readable:
    """The row of a message's content, once its words were read."""
    return Readable(
        message_id=told.message_id,
        account=told.account,
        received_at=_storable(content.received_at),
        size_bytes=content.size_bytes,
        kept=kept,
        tsvector=tsvector,
        is_whole=is_whole,
    )


def account_of(
    event: MessagesSynced | MessagesRetold | MessagesChanged | MessagesVanished,
) -> Account:
    """Whose messages an event speaks of."""
    return Account(account_id=event.account_id, tenant_id=event.tenant_id)


def keywords_of(state: State) -> list[str]:
    """Keywords as they are compared: in lower case, sorted (RFC 9051 §2.3.2)."""
    return sorted({_bare(keyword).lower() for keyword in state.keywords} - {""})


def labels_of(state: State) -> list[str]:
    """Labels as they are compared, sorted."""
    return sorted({label_of(label) for label in state.labels} - {""})


def _bare(keyword: str) -> str:
    # An atom has no space and no control character (RFC 9051 §9); a row's elements are lines.
    return "".join(keyword.split()).replace("\0", "")


def _reduced(told: Iterable[Told]) -> list[Told]:
    newest: dict[UUID, Told] = {}
    for one in told:
        known = newest.get(one.message_id)
        newest[one.message_id] = one if known is None else _merged(known, one)
    return sorted(newest.values(), key=lambda one: one.message_id)


def _merged(known: Told, told: Told) -> Told:
    newer, older = (told, known) if told.speaks_for > known.speaks_for else (known, told)
    return replace(newer, content=newer.content or older.content)


def _storable(at: datetime) -> datetime:
    """A time that a row can hold: near the ends of the calendar a zone may lead outside of it."""
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return at.replace(tzinfo=UTC)

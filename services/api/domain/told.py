"""What a batch of pages told, reduced to one row for each message, and what became of the rows.

A batch may hold a message twice (a page that came again, two changes in a row). Only the newest
state counts (docs/decisions/0014), and PostgreSQL refuses to write one row twice in a statement.
Sorted by id, so that two batches which meet lock rows in the same order.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from shared.contracts.mail import MessagesRetold, State


class _Message(Protocol):
    @property
    def message_id(self) -> UUID: ...
    @property
    def revision(self) -> int: ...


T = TypeVar("T")
M = TypeVar("M", bound=_Message)
M_co = TypeVar("M_co", bound=_Message, covariant=True)


class Page(Protocol[M_co]):
    """Something told about several messages of one account."""

    @property
    def event_id(self) -> UUID: ...
    @property
    def tenant_id(self) -> UUID: ...
    @property
    def account_id(self) -> UUID: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def messages(self) -> Sequence[M_co]: ...


class Told(Struct, Generic[M], frozen=True, kw_only=True):
    """One message of a page, and which page it was."""

    tenant_id: UUID
    account_id: UUID
    event_id: UUID
    n: int  # its place in the page
    occurred_at: datetime
    attested_revision: int  # of a retelling: as of when it was there; 0: not a retelling
    message: M


def newest_each(
    told: Iterable[T], *, key: Callable[[T], tuple[UUID, UUID]], revision: Callable[[T], int]
) -> list[T]:
    """Of everything told about one thing only the newest, sorted by key."""
    newest: dict[tuple[UUID, UUID], T] = {}
    for one in told:
        known = newest.get(key(one))
        if known is None or revision(known) < revision(one):
            newest[key(one)] = one
    return [newest[each] for each in sorted(newest)]


def one_each(pages: Iterable[Page[M]]) -> list[Told[M]]:
    """The newest that is told of each message, sorted by tenant and id."""
    newest: dict[tuple[UUID, UUID], Told[M]] = {}
    for page in pages:
        attested = _attested(page)
        for n, message in enumerate(page.messages):
            one = Told(
                tenant_id=page.tenant_id,
                account_id=page.account_id,
                event_id=page.event_id,
                n=n,
                occurred_at=page.occurred_at,
                attested_revision=attested,
                message=message,
            )
            key = (page.tenant_id, message.message_id)
            known = newest.get(key)
            if known is not None:
                kept = one if message.revision > known.message.revision else known
                one = replace(kept, attested_revision=max(attested, known.attested_revision))
            newest[key] = one
    return [newest[key] for key in sorted(newest)]


def _attested(page: object) -> int:
    return page.as_of_revision if isinstance(page, MessagesRetold) else 0


class Standing(Struct, frozen=True, kw_only=True):
    """A message's row as far as lists, counts and the log care."""

    known: bool  # its content has come and it is not gone
    listed: bool  # known, in a mailbox, and not marked \Deleted
    unread: bool
    mailbox_id: UUID | None
    thread_id: UUID | None
    keywords: tuple[str, ...]
    labels: tuple[str, ...] = ()

    @property
    def shown_labels(self) -> tuple[str, ...]:
        """The labels in whose lists it is."""
        return self.labels if self.listed else ()


class Transition(Struct, frozen=True, kw_only=True):
    """What one statement did to one row."""

    tenant_id: UUID
    account_id: UUID
    message_id: UUID
    before: Standing | None
    after: Standing


class MailboxCount(Struct, frozen=True, kw_only=True):
    """By how much the numbers beside a mailbox change."""

    tenant_id: UUID
    mailbox_id: UUID
    account_id: UUID
    messages: int
    unread: int


def tally(transitions: Iterable[Transition]) -> list[MailboxCount]:
    """One change of the counts for each mailbox concerned, sorted; none that changes nothing."""
    totals: dict[tuple[UUID, UUID, UUID], list[int]] = {}
    for moved in transitions:
        for standing, step in ((moved.before, -1), (moved.after, 1)):
            if standing is None or not standing.listed or standing.mailbox_id is None:
                continue
            key = (moved.tenant_id, standing.mailbox_id, moved.account_id)
            total = totals.setdefault(key, [0, 0])
            total[0] += step
            total[1] += step * standing.unread
    return [
        MailboxCount(
            tenant_id=tenant_id,
            mailbox_id=mailbox_id,
            account_id=account_id,
            messages=messages,
            unread=unread,
        )
        for (tenant_id, mailbox_id, account_id), (messages, unread) in sorted(totals.items())
        if messages or unread
    ]


# Flags are compared without case (RFC 9051 §9: flag); these are looked for by name.
_SYSTEM_FLAGS = {
    flag.lower(): flag for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
}


def keywords_of(state: State) -> list[str]:
    """How a message is marked, the system flags as the RFC writes them, sorted."""
    return list(_sorted(state.keywords))


@lru_cache(maxsize=1024)
def _sorted(keywords: frozenset[str]) -> tuple[str, ...]:
    # Nearly all messages are marked in one of a few ways.
    return tuple(sorted({storable(_SYSTEM_FLAGS.get(word.lower(), word)) for word in keywords}))


#: Between labels in one text; Gmail allows no control characters in them, nor so many characters.
LABEL_SEPARATOR = "\x1f"
LONGEST_LABEL = 255


def labels_of(state: State) -> list[str]:
    """The labels of a message, sorted."""
    return sorted({label_of(label) for label in state.labels} - {""}) if state.labels else []


def label_of(text: str) -> str:
    """A label as it is kept and asked for: exactly as it is written, but for the server's own.

    Those (`\\Inbox`, `\\Starred`) are the same in any case, as flags are.
    """
    text = storable(text).replace(LABEL_SEPARATOR, "")
    return text[0] + text[1:].capitalize() if text.startswith("\\") else text


def storable(text: str) -> str:
    """The text without NUL, which mail may hold and PostgreSQL may not."""
    return text.replace("\0", "") if "\0" in text else text


def storable_time(value: datetime | None) -> datetime | None:
    """The moment in UTC, or None for one that a Date header put outside the calendar."""
    if value is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None

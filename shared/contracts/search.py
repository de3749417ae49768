"""Questions to the memory: which messages have these words in them."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec
from msgspec import Struct

from shared.contracts.envelope import OpenEnum, Problem, Query


class NamedAccount(Struct, frozen=True, kw_only=True):
    """An account by the names that its people have for it."""

    account_id: UUID
    name: str
    email: str


class NamedMailbox(Struct, frozen=True, kw_only=True):
    """A mailbox by the names that its people have for it."""

    mailbox_id: UUID
    account_id: UUID
    path: str
    delimiter: str | None = None
    role: str | None = None


class Condition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A query as a tree. Exactly one of `all`, `any`, `not` and `value` is there."""

    all: tuple["Condition", ...] | None = None
    any: tuple["Condition", ...] | None = None
    not_: "Condition | None" = msgspec.field(name="not", default=None)
    operator: str | None = None  # as in a line of text; None: words that stand anywhere
    value: str | None = None
    phrase: bool = False  # the words of `value` stand next to each other


class Order(OpenEnum):
    """What comes first."""

    NEWEST = "newest"
    RELEVANCE = "relevance"  # among the newest that match
    OTHER = "other"


class Unit(OpenEnum):
    """What a result is."""

    MESSAGES = "messages"
    THREADS = "threads"  # the newest message of each that matches stands for it
    OTHER = "other"


class Searching(Query, frozen=True, kw_only=True):
    """What is asked, as a line of text or as a tree, and whose words it is in."""

    text: str = ""
    condition: Condition | None = None  # instead of `text`
    time_zone: str = "UTC"  # of the asker, by its name in the IANA database
    # What `in:` and `account:` name, and whom `me` is. Not needed where none of them is asked for.
    accounts: tuple[NamedAccount, ...] = ()
    mailboxes: tuple[NamedMailbox, ...] = ()


class SearchMessages(Searching, frozen=True, kw_only=True):
    """The messages that match, newest first. An unreadable query is answered with a problem."""

    channel: ClassVar[str] = "query.messages.search"

    limit: int = 50
    before: tuple[datetime, UUID] | None = None  # received_at and message_id of the last one shown
    order: Order = Order.NEWEST
    unit: Unit = Unit.MESSAGES
    # By relevance: the last one shown, and as `before` the anchor that came with the first page.
    ranked_after: tuple[float, UUID] | None = None
    with_total: bool = False
    # Whether a line of each message is shown; who only wants to know which they are says no, and
    # may have more of them at once.
    with_lines: bool = True


class Found(Struct, frozen=True, kw_only=True):
    """A message that matches."""

    message_id: UUID
    received_at: datetime
    snippet: str = ""  # plain text
    marks: tuple[tuple[int, int], ...] = ()  # what matches in the snippet: from and to, characters
    rank: float = 0.0  # how relevant, where that is asked for
    text_is_cut: bool = False  # of its text only the first 64 KiB are searched


class TotalKind(OpenEnum):
    """How far a number may be believed."""

    EXACT = "exact"
    ESTIMATED = "estimated"
    AT_LEAST = "at_least"
    OTHER = "other"


class Total(Struct, frozen=True, kw_only=True):
    """How many messages match."""

    messages: int
    kind: TotalKind


class SearchAnswer(Struct, frozen=True, kw_only=True):
    """What was found, or what is wrong with the query."""

    found: tuple[Found, ...] = ()
    more: bool = False
    problem: Problem | None = None
    total: Total | None = None
    anchor: tuple[datetime, UUID] | None = None  # of an order by relevance


class ExplainSearch(Searching, frozen=True, kw_only=True):
    """How a query is understood, without searching."""

    channel: ClassVar[str] = "query.search.explain"


class ExplainedTerm(Struct, frozen=True, kw_only=True):
    """One term of a query, and what it was taken for."""

    operator: str | None
    value: str
    position: int | None = None
    pointer: str | None = None
    meaning: str


class Explanation(Struct, frozen=True, kw_only=True):
    """How a query was understood, or what is wrong with it."""

    condition: Condition | None = None
    terms: tuple[ExplainedTerm, ...] = ()
    problem: Problem | None = None
    # Of the asker's messages, those with more text than the 64 KiB that are searched; 1,000 means
    # at least so many.
    cut_texts: int = 0


class SuggestPeople(Query, frozen=True, kw_only=True):
    """Whom somebody may mean who has typed the beginning of a name or an address."""

    channel: ClassVar[str] = "query.people.suggest"

    prefix: str  # empty: whom they write to
    accounts: tuple[NamedAccount, ...] = ()  # the asker's own addresses
    limit: int = 10


class SuggestedPerson(Struct, frozen=True, kw_only=True):
    """Somebody the asker has mail with; counted in the newest mail with people so called."""

    name: str
    email: str
    sent: int  # messages of the asker's to them
    received: int  # messages of theirs
    last_at: datetime


class PeopleSuggested(Struct, frozen=True, kw_only=True):
    """Those most written with first."""

    people: tuple[SuggestedPerson, ...] = ()

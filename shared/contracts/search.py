"""Questions to the memory: which messages have these words in them."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.envelope import Problem, Query


class SearchMessages(Query, frozen=True, kw_only=True):
    """The messages that match, newest first. An unreadable query is answered with a problem."""

    channel: ClassVar[str] = "query.messages.search"

    text: str
    limit: int = 50
    before: tuple[datetime, UUID] | None = None  # received_at and message_id of the last one shown


class Found(Struct, frozen=True, kw_only=True):
    """A message that matches."""

    message_id: UUID
    received_at: datetime
    snippet: str = ""  # plain text


class SearchAnswer(Struct, frozen=True, kw_only=True):
    """What was found, or what is wrong with the query."""

    found: tuple[Found, ...] = ()
    more: bool = False
    problem: Problem | None = None

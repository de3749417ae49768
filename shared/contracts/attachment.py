"""Parts of a message that stay on its mail server until somebody opens them."""

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from shared.contracts.envelope import Hint, Problem, Query

#: The number of the message itself, as it came; attachments count from 1.
WHOLE_MESSAGE = 0


class FetchPart(Query, frozen=True, kw_only=True):
    """Let an attachment, or a message as it came, be in the bucket.

    Who hears that it is not ready asks again: it is on its way.
    """

    channel: ClassVar[str] = "query.part.fetch"
    deadline_seconds: ClassVar[float] = 30.0

    message_id: UUID
    part: int  # WHOLE_MESSAGE, or the number of an attachment
    piece: int | None = 0  # answered when this piece is there; None: when all are


class PartAnswer(Struct, frozen=True, kw_only=True):
    """Whether it is there, or why it cannot be."""

    ready: bool = False  # what was waited for is in the bucket, or the part has no such piece
    problem: Problem | None = None
    retry_after_seconds: int | None = None


class SlotWanted(Hint, frozen=True, kw_only=True):
    """Who has a connection to this account's server and no use for it is asked to hang up."""

    channel: ClassVar[str] = "hint.slot.wanted"

    account_id: UUID
    only: bool = False  # the account may have no other: who listens over it lends it, too

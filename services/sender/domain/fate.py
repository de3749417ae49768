"""What becomes of a message for one recipient."""

from dataclasses import dataclass
from enum import StrEnum

from services.sender.domain.reply import Reply
from shared.contracts.submission import Fate


class Stage(StrEnum):
    """Whether the final dot, by which a message is handed over, has left us (RFC 5321 §4.1.1.4)."""

    BEFORE_DOT = "before_dot"
    AFTER_DOT = "after_dot"


#: Congestion (RFC 3463 §3.5), whatever the first digit says: a day's limit is said so by providers
#: (`550 5.4.5 Daily user sending limit exceeded`), and is over tomorrow.
_FOR_TODAY = frozenset({"5.4.5"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said last about one recipient, or its silence, and when."""

    stage: Stage
    reply: Reply | None = None


def fate_of(stage: Stage, reply: Reply | None) -> Fate:
    """What a server's answer, or its silence, means for one recipient.

    The first digit decides (RFC 5321 §4.2.1), and the stage decides what silence means:
    until the final dot nothing was handed over; after it only the server knows. Who is asked to
    sign in was not understood as who they are, and the message was not looked at.
    """
    match stage, reply.code // 100 if reply else None:
        case _, 5 if reply is not None and reply.asks_to_sign_in:
            return Fate.DEFERRED
        case _, 5 if reply is not None and reply.enhanced_code in _FOR_TODAY:
            return Fate.DEFERRED
        case _, 5:
            return Fate.REFUSED
        case Stage.AFTER_DOT, 2:
            return Fate.ACCEPTED
        case Stage.AFTER_DOT, 4:
            return Fate.DEFERRED
        case Stage.AFTER_DOT, _:
            return Fate.UNCERTAIN
        case _:
            return Fate.DEFERRED

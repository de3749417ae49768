"""What a server says when a session has had enough: of messages, or of who signed in."""

import re

from services.sender.domain.reply import Reply

_ENOUGH = re.compile(
    r"too many (messages|mails?|e-?mails|transactions|recipients)|"
    r"(messages?|transactions?|mails?) (limit|per (session|connection))|"
    r"maximum (number of )?(messages|transactions|recipients)|session limit",
    re.IGNORECASE,
)


def names_limit(reply: Reply | None) -> bool:
    """Whether the server says that it is a limit that was reached."""
    return reply is not None and bool(_ENOUGH.search(reply.text))


def is_over(reply: Reply | None) -> bool:
    """Whether the server is done with whoever speaks, and not only with this message."""
    return reply is not None and (reply.code == 421 or reply.asks_to_sign_in)


def ends_session(reply: Reply | None, *, messages_before: int) -> bool:
    """Whether this answer, before the dot, is about the session and not about the message.

    Only where the session served other messages before: a server that says this at the first
    one speaks of the account or of the message. 421 closes the channel (RFC 5321 §3.8), and so
    does a line that breaks; a server may as well go on and refuse (RFC 3463 X.4.5.3).
    """
    if messages_before < 1:
        return False
    if reply is None or is_over(reply):
        return True
    return reply.code // 100 == 4 and names_limit(reply)

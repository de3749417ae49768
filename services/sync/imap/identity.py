"""Which message this is, where the server has a name for it that outlives its UID.

EMAILID (OBJECTID, RFC 8474), and Gmail's message, thread and label attributes (X-GM-EXT-1).
"""

from __future__ import annotations

from typing import NamedTuple

from services.sync.imap.gathering import Told
from services.sync.imap.names import Spelling, decode_name, heard_name
from services.sync.imap.parser import Value, as_id, as_number, as_string


class Identity(NamedTuple):
    """What a server says of which message this is."""

    email_id: str | None  # EMAILID, or "gm:" and Gmail's number
    gm_thread: str | None
    gm_labels: frozenset[str] | None  # `\\Inbox` and others as they are; None: there are no labels


def identity_items(offers: frozenset[str]) -> bytes:
    """What to ask of each message, to be put behind other items."""
    items = b""
    if "OBJECTID" in offers:
        items += b" EMAILID"
    if "X-GM-EXT-1" in offers:
        items += b" X-GM-MSGID X-GM-THRID X-GM-LABELS"
    return items


def identity_in(told: Told, spelling: Spelling) -> Identity:
    """What the server said."""
    email_id = as_id(told.get("EMAILID"))
    number = as_number(told.get("X-GM-MSGID"))
    if email_id is None and number is not None:
        email_id = f"gm:{number}"
    thread = as_number(told.get("X-GM-THRID"))
    return Identity(
        email_id,
        None if thread is None else str(thread),
        _labels(told["X-GM-LABELS"], spelling) if "X-GM-LABELS" in told else None,
    )


def _labels(value: Value, spelling: Spelling) -> frozenset[str]:
    names = map(as_string, value) if isinstance(value, list) else ()
    return frozenset(decode_name(heard_name(name, spelling)) for name in names if name)
